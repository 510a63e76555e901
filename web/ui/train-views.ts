/** What is seen of a run: how far it has come, its curves, and the table of its epochs. */
import { type CurvePoint, Curves } from "../charts/curves.ts";
import { h, percent } from "../dom.ts";
import type { EpochEnd, Progress } from "../lab/protocol.ts";

const seconds = (time: number) =>
  time < 90 ? `${Math.round(time)} s` : `${Math.floor(time / 60)} min ${Math.round(time % 60)} s`;

export function createCharts() {
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
export function createTable() {
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
export function createStatus() {
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
