/** Training: its options, its buttons, and what is seen of it. */
import { proxy, type Remote } from "comlink";
import { h, section } from "../dom.ts";
import type { Lab, NetworkInfo, TrainEvent } from "../lab/protocol.ts";
import { createOptions, mostThreads } from "./train-options.ts";
import { createCharts, createStatus, createTable } from "./train-views.ts";

export interface TrainListeners {
  /** Another network is open. */
  onNetwork(network: NetworkInfo): void;
  /** The network has changed. */
  onChange(): void;
  /** A run has come to its end. */
  onEnd(): void;
  onError(error: Error): void;
}

type State = "idle" | "running" | "paused";

const ERROR = "Training ended with an error; the page goes on with the network as it was after the last good epoch.";

function onThreads(): string {
  if (!crossOriginIsolated) {
    return "Trains on one thread: this page is not cross-origin isolated. The results are the same, bit for bit.";
  }
  return `Trains on up to ${mostThreads} threads; the results are the same, bit for bit, on any number of them.`;
}

class TrainPanel {
  readonly element: HTMLElement;
  readonly #lab: Remote<Lab>;
  readonly #listeners: TrainListeners;
  readonly #options = createOptions();
  readonly #charts = createCharts();
  readonly #table = createTable();
  readonly #status = createStatus();
  readonly #start = h("button", { type: "submit", class: "primary" }, "Start");
  readonly #pause = h("button", { type: "button", onclick: () => this.#toggle() }, "Pause");
  readonly #step = h("button", { type: "button", onclick: () => this.#oneStep() }, "Step");
  readonly #reset = h("button", { type: "button", disabled: true, onclick: () => void this.#goBack() }, "Reset");
  readonly #form: HTMLFormElement;
  #state: State = "idle";
  #threads = 1;
  /** Of the runs that there have been, the last: what comes from others is late. */
  #run = 0;

  constructor(lab: Remote<Lab>, listeners: TrainListeners) {
    this.#lab = lab;
    this.#listeners = listeners;
    const onsubmit = (event: SubmitEvent) => {
      event.preventDefault();
      void this.#begin(false);
    };
    const buttons = h("div", { class: "tools" }, this.#start, this.#pause, this.#step, this.#reset);
    this.#form = h("form", { onsubmit }, this.#options.element, buttons);
    const lead = "The recipe on MNIST’s 60,000 images, in this page. What you draw is looked at as the network learns.";
    const note = h("p", { id: "threads", class: "note" }, onThreads());
    const views = [this.#status.element, this.#charts.element, this.#table.element];
    this.element = section("train", "Train", lead, this.#form, note, ...views);
    this.#setState("idle");
  }

  #setState(state: State): void {
    this.#state = state;
    this.#start.disabled = state !== "idle";
    this.#pause.disabled = state === "idle";
    this.#pause.textContent = state === "paused" ? "Resume" : "Pause";
    this.#step.disabled = state === "running";
    this.#options.element.disabled = state !== "idle";
  }

  #onEvent(event: TrainEvent, epochs: number): void {
    if (event.type === "data") this.#status.data(event.loaded, event.total);
    else if (event.type === "begin") {
      this.#threads = event.threads;
      this.#status.say(this.#state === "paused" ? "Paused before the first step." : "Training …", 0);
      this.#listeners.onNetwork(event.network);
    } else if (event.type === "testing") this.#status.say("Testing …");
    else if (event.type === "epoch") {
      this.#charts.epoch(event);
      this.#table.add(event);
      this.#listeners.onChange();
    } else {
      this.#status.progress(event, epochs, this.#threads);
      this.#charts.step(event);
      this.#listeners.onChange();
    }
  }

  #clear(): void {
    this.#charts.clear();
    this.#table.clear();
    this.#status.clear();
  }

  async #begin(paused: boolean): Promise<void> {
    if (!this.#form.reportValidity()) return;
    const { epochs, ...others } = this.#options.read();
    const run = ++this.#run;
    this.#setState(paused ? "paused" : "running");
    this.#reset.disabled = false;
    this.#clear();
    this.#status.say("Preparing …");
    const listen = proxy((event: TrainEvent) => {
      if (run === this.#run) this.#onEvent(event, epochs);
    });
    try {
      const done = this.#lab.train({ epochs, ...others }, paused, listen);
      if (paused) void this.#lab.step();
      if (!(await done)) return;
      this.#status.say(`Trained for ${epochs} ${epochs === 1 ? "epoch" : "epochs"}.`, 1);
    } catch (error) {
      this.#status.say(ERROR);
      this.#listeners.onError(error as Error);
    }
    if (run !== this.#run) return;
    this.#setState("idle");
    this.#listeners.onChange();
    this.#listeners.onEnd();
  }

  #toggle(): void {
    const pausing = this.#state === "running";
    this.#setState(pausing ? "paused" : "running");
    void (pausing ? this.#lab.pause() : this.#lab.resume());
  }

  #oneStep(): void {
    if (this.#state === "idle") void this.#begin(true);
    else void this.#lab.step();
  }

  async #goBack(): Promise<void> {
    this.#run++;
    this.#reset.disabled = true;
    try {
      const network = await this.#lab.reset();
      this.#clear();
      this.#status.say("Reset to the network from before.");
      this.#listeners.onNetwork(network);
    } catch (error) {
      this.#listeners.onError(error as Error);
    }
    this.#setState("idle");
    this.#listeners.onEnd();
  }
}

export function createTrain(lab: Remote<Lab>, listeners: TrainListeners): HTMLElement {
  return new TrainPanel(lab, listeners).element;
}
