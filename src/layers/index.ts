/** The layers: this list is what users call, and what a saved model's class names are looked up in. */
export { activation } from "./activation.ts";
export { averagePooling2d } from "./average-pooling2d.ts";
export { conv2d } from "./conv2d.ts";
export { dense } from "./dense.ts";
export { depthwiseConv2d } from "./depthwise-conv2d.ts";
export { dropout } from "./dropout.ts";
export { flatten } from "./flatten.ts";
export { globalAveragePooling2d } from "./global-average-pooling2d.ts";
export { globalMaxPooling2d } from "./global-max-pooling2d.ts";
export { input } from "./input.ts";
export { leakyReLU } from "./leaky-relu.ts";
export { maxPooling2d } from "./max-pooling2d.ts";
export { reLU } from "./relu.ts";
export { rescaling } from "./rescaling.ts";
export { reshape } from "./reshape.ts";
export { softmax } from "./softmax.ts";
export { zeroPadding2d } from "./zero-padding2d.ts";
