/** Training: its options, its buttons, how far it has come, and its curves. */
import { proxy, type Remote } from "comlink";
import { type CurvePoint, Curves } from "../charts/curves.ts";
import { h, percent, section } from "../dom.ts";
import type { EpochEnd, Lab, NetworkInfo, Progress, TrainEvent } from "../lab/protocol.ts";
import { createOptions, mostThreads } from "./train-options.ts";

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

const seconds = (time: number) =>
  time < 90 ? `${Math.round(time)} s` : `${Math.floor(time / 60)} min ${Math.round(time % 60)} s`;

function createCharts() {
  const lossElement = h("div", { class: "chart" });
  const accuracyElement = h("div", { class: "chart" });
  const loss = new Curves(lossElement, { title: "Loss", format: (value) => value.toFixed(value < 0.1 ? 3 : 2) });
  const accuracy = new Curves(accuracyElement, { title: "Accuracy", format: (value) => percent(value) });
  const element = h("div", { class: "charts", hidden: true }, lossElement, accuracyElement);
  let points: { x: number; loss?: number; accuracy?: number; testLoss?: number; testAccuracy?: number }[] = [];
  const draw = () => {
    element.hidden = false;
    const curve = (training: "loss" | "accuracy", test: "testLoss" | "testAccuracy"): CurvePoint[] =>
      points.map((point) => ({ x: point.x, training: point[training], test: point[test] }));
    loss.set(curve("loss", "testLoss"));
    accuracy.set(curve("accuracy", "testAccuracy"));
  };
  return {
    element,
    clear: () => {
      points = [];
      element.hidden = true;
    },
    step: ({ epoch, step, steps, recent }: Progress) => {
      if (!recent) return;
      points.push({ x: epoch + step / steps, ...recent });
      draw();
    },
    epoch: ({ epoch, testLoss, testAccuracy }: EpochEnd) => {
      const last = points.at(-1);
      const tested = { x: epoch + 1, testLoss, testAccuracy };
      if (last?.x === tested.x) points[points.length - 1] = { ...last, ...tested };
      else points.push(tested);
      draw();
    },
  };
}

/** The table of the epochs, which says in numbers what the curves show. */
function createTable() {
  const body = h("tbody");
  const names = ["Epoch", "Loss", "Accuracy", "Test loss", "Test accuracy"];
  const head = h("thead", {}, h("tr", {}, ...names.map((name) => h("th", { scope: "col" }, name))));
  const element = h("table", { class: "epochs", hidden: true }, head, body);
  return {
    element,
    clear: () => {
      body.replaceChildren();
      element.hidden = true;
    },
    add: ({ epoch, loss, accuracy, testLoss, testAccuracy }: EpochEnd) => {
      element.hidden = false;
      const cells = [loss.toFixed(4), percent(accuracy, 2), testLoss.toFixed(4), percent(testAccuracy, 2)];
      body.append(h("tr", {}, h("th", { scope: "row" }, String(epoch + 1)), ...cells.map((cell) => h("td", {}, cell))));
    },
  };
}

/** The line that says how far the run has come, and its bar. */
function createStatus() {
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the training" });
  const text = h("p", { class: "status", role: "status" });
  const figures = h("p", { class: "figures" });
  return {
    element: h("div", { class: "progress" }, bar, text, figures),
    say: (words: string, share?: number) => {
      text.textContent = words;
      if (share !== undefined) bar.value = share;
    },
    data: (loaded: number, total: number | undefined) => {
      const of = total === undefined ? "" : ` of ${(total / 1e6).toFixed(1)}`;
      text.textContent = `Loading MNIST: ${(loaded / 1e6).toFixed(1)}${of} MB`;
      if (total !== undefined) bar.value = loaded / total;
    },
    progress: (progress: Progress, epochs: number, threads: number) => {
      const { epoch, step, steps, loss, accuracy, imagesPerSecond, millisecondsPerStep, secondsLeft, paused } =
        progress;
      const where = `epoch ${epoch + 1} of ${epochs}, step ${step} of ${steps}`;
      text.textContent = paused ? `Paused at ${where}.` : `Training: ${where}.`;
      bar.value = (epoch + step / steps) / epochs;
      const left = secondsLeft === undefined ? "" : `, ${seconds(secondsLeft)} left`;
      const speed = `${Math.round(imagesPerSecond).toLocaleString("en")} images a second`;
      const step_ = `${millisecondsPerStep.toFixed(1)} ms a step on ${threads} ${threads === 1 ? "thread" : "threads"}`;
      figures.textContent = `Loss ${loss.toFixed(4)}, accuracy ${percent(accuracy, 2)}; ${speed}, ${step_}${left}.`;
    },
    clear: () => {
      text.textContent = "";
      figures.textContent = "";
      bar.value = 0;
    },
  };
}

function onThreads(): string {
  if (!crossOriginIsolated) {
    return "Trains on one thread: this page is not cross-origin isolated. The results are the same, bit for bit.";
  }
  return `Trains on up to ${mostThreads} threads; the results are the same, bit for bit, on any number of them.`;
}

export function createTrain(lab: Remote<Lab>, listeners: TrainListeners): HTMLElement {
  const options = createOptions();
  const [charts, table, status] = [createCharts(), createTable(), createStatus()];
  let state: State = "idle";
  let threads = 1;
  let run = 0;

  const start = h("button", { type: "submit", class: "primary" }, "Start");
  const pause = h("button", { type: "button", onclick: () => toggle() }, "Pause");
  const step = h("button", { type: "button", onclick: () => oneStep() }, "Step");
  const reset = h("button", { type: "button", disabled: true, onclick: () => void goBack() }, "Reset");
  const form = h(
    "form",
    {
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        void begin(false);
      },
    },
    options.element,
    h("div", { class: "tools" }, start, pause, step, reset),
  );

  function setState(next: State): void {
    state = next;
    start.disabled = state !== "idle";
    pause.disabled = state === "idle";
    pause.textContent = state === "paused" ? "Resume" : "Pause";
    step.disabled = state === "running";
    options.element.disabled = state !== "idle";
  }
  setState("idle");

  function onEvent(event: TrainEvent, epochs: number): void {
    if (event.type === "data") status.data(event.loaded, event.total);
    else if (event.type === "begin") {
      threads = event.threads;
      status.say(state === "paused" ? "Paused before the first step." : "Training …", 0);
      listeners.onNetwork(event.network);
    } else if (event.type === "testing") status.say("Testing …");
    else if (event.type === "epoch") {
      charts.epoch(event);
      table.add(event);
      listeners.onChange();
    } else {
      status.progress(event, epochs, threads);
      charts.step(event);
      listeners.onChange();
    }
  }

  async function begin(paused: boolean): Promise<void> {
    if (!form.reportValidity()) return;
    const chosen = options.read();
    const own = ++run;
    setState(paused ? "paused" : "running");
    reset.disabled = false;
    charts.clear();
    table.clear();
    status.say("Preparing …", 0);
    const listen = proxy((event: TrainEvent) => {
      if (own === run) onEvent(event, chosen.epochs);
    });
    try {
      const done = lab.train(chosen, paused, listen);
      if (paused) void lab.step();
      if (!(await done)) return;
      status.say(`Trained for ${chosen.epochs} ${chosen.epochs === 1 ? "epoch" : "epochs"}.`, 1);
    } catch (error) {
      status.say(
        "Training ended with an error; the page goes on with the network as it was after the last good epoch.",
      );
      listeners.onError(error as Error);
    }
    if (own !== run) return;
    setState("idle");
    listeners.onChange();
    listeners.onEnd();
  }

  function toggle(): void {
    const pausing = state === "running";
    setState(pausing ? "paused" : "running");
    void (pausing ? lab.pause() : lab.resume());
  }

  function oneStep(): void {
    if (state === "idle") void begin(true);
    else void lab.step();
  }

  async function goBack(): Promise<void> {
    run++;
    reset.disabled = true;
    try {
      listeners.onNetwork(await lab.reset());
      status.clear();
      status.say("Reset to the network from before.");
    } catch (error) {
      listeners.onError(error as Error);
    }
    setState("idle");
    charts.clear();
    table.clear();
    listeners.onEnd();
  }

  const lead = "The recipe on MNIST’s 60,000 images, in this page. What you draw is looked at as the network learns.";
  const note = h("p", { id: "threads", class: "note" }, onThreads());
  return section("train", "Train", lead, form, note, status.element, charts.element, table.element);
}
