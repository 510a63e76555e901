/** The Web Worker that has the network, the data and the training, so that the page stays free. */
import { expose } from "comlink";
import { createLab } from "./lab.ts";

expose(createLab());
