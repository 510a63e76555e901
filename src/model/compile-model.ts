/** What `Sequential.compile` decides: loss, optimizer and metrics that fit the model, and the tensors that training needs. */
import { badArgument, isConfig, onlyKnown } from "../arguments.ts";
import { batchTensor, stateTensor } from "../compiler/graph.ts";
import { UserError } from "../errors.ts";
import type { Shape } from "../kernels/op.ts";
import { toLoss } from "../losses.ts";
import { toMetric } from "../metrics.ts";
import { type Optimizer, toOptimizer } from "../optimizers/index.ts";
import type { CompileOptions } from "./options.ts";
import { type Compiled, type PlacedLayer, weightsOf } from "./state.ts";

/** Whose steps an optimizer counts. */
const owners = new WeakMap<Optimizer, object>();

interface Model {
  readonly placed: readonly PlacedLayer[];
  readonly outputShape: Shape;
}

/**
 * The optimizer begins anew.
 *
 * @throws UserError for an unknown name, an output that the loss cannot take, or another model's optimizer.
 */
export function compileModel(model: Model, options: CompileOptions): Compiled {
  if (!isConfig(options)) throw badArgument("compile", "the options", "{ loss, optimizer, metrics }", options);
  onlyKnown("compile", options, ["loss", "optimizer", "metrics"]);
  const { loss: lossOption, optimizer: optimizerOption = "adam", metrics: names = [] } = options;
  const loss = toLoss(lossOption);
  const optimizer = toOptimizer(optimizerOption);
  if (!Array.isArray(names)) throw badArgument("compile", "metrics", "an array", names);
  const target = loss.target(model.outputShape);
  const metrics = names.map((name) => toMetric(name, loss, model.outputShape));
  if ((owners.get(optimizer) ?? model) !== model) {
    throw new UserError("compile: the optimizer belongs to another model, whose steps it counts; make a new one.");
  }
  owners.set(optimizer, model);
  optimizer.iterations = 0;
  const slots = weightsOf(model.placed, { trainable: true }).map((parameter) =>
    optimizer.slotNames.map((slot) =>
      stateTensor(`${optimizer.name}/${parameter.name.replaceAll("/", "_")}_${slot}`, parameter.shape),
    ),
  );
  return {
    loss,
    optimizer,
    metrics,
    slots,
    targets: batchTensor("targets", target.shape, target.dtype),
    weights: batchTensor("weights", []),
    scalars: stateTensor("scalars", [optimizer.scalarCount]),
    step: stateTensor("step", [1], "int32"),
    results: stateTensor("results", [1 + metrics.length]),
  };
}
