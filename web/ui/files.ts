/** Keras files out and in, and pictures: by button, by drop, by paste. */
import { type Remote, transfer } from "comlink";
import { h, section } from "../dom.ts";
import type { Lab, NetworkInfo } from "../lab/protocol.ts";

const FILE_NAME = "mnist_LeNet.h5";

export interface FileListeners {
  onNetwork(network: NetworkInfo): void;
  onPicture(bytes: Uint8Array, name: string): void;
  onError(error: Error): void;
}

export interface Files {
  readonly element: HTMLElement;
  /** Asks for a picture. */
  readonly pictureButton: HTMLElement;
  describe(network: NetworkInfo): void;
}

/** A button that asks for a file. */
function fileButton(text: string, accept: string, onFile: (file: File) => void): HTMLElement {
  const input = h("input", {
    type: "file",
    accept,
    hidden: true,
    onchange: () => {
      const [file] = input.files ?? [];
      // So that the same file can be chosen again.
      input.value = "";
      if (file) onFile(file);
    },
  });
  return h("span", {}, h("button", { type: "button", onclick: () => input.click() }, text), input);
}

const isNetwork = (name: string) => /\.(h5|hdf5|keras)$/i.test(name);

export function createFiles(lab: Remote<Lab>, { onNetwork, onPicture, onError }: FileListeners): Files {
  const status = h("p", { class: "status", role: "status" });

  async function open(file: File): Promise<void> {
    try {
      const bytes = new Uint8Array(await file.arrayBuffer());
      if (!isNetwork(file.name)) return onPicture(bytes, file.name);
      status.textContent = `Opening ${file.name} …`;
      onNetwork(await lab.open(transfer(bytes, [bytes.buffer]), file.name));
      status.textContent = `Opened ${file.name}.`;
    } catch (error) {
      status.textContent = `${file.name} could not be opened; the network from before stays.`;
      onError(error as Error);
    }
  }

  async function save(): Promise<void> {
    try {
      status.textContent = "Saving …";
      const bytes = (await lab.save()) as Uint8Array<ArrayBuffer>;
      const url = URL.createObjectURL(new Blob([bytes], { type: "application/x-hdf5" }));
      h("a", { href: url, download: FILE_NAME }).click();
      setTimeout(() => URL.revokeObjectURL(url), 60_000);
      status.textContent = `Saved as ${FILE_NAME}, ${(bytes.length / 1e6).toFixed(1)} MB; Keras and lenet read it.`;
    } catch (error) {
      status.textContent = "";
      onError(error as Error);
    }
  }

  const openAny = (files: FileList | undefined | null) => {
    const [file] = files ?? [];
    if (file) void open(file);
  };
  addEventListener("dragover", (event) => {
    event.preventDefault();
    document.body.classList.add("dropping");
  });
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) document.body.classList.remove("dropping");
  });
  addEventListener("drop", (event) => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    openAny(event.dataTransfer?.files);
  });
  addEventListener("paste", (event) => openAny(event.clipboardData?.files));

  const table = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Layers of the open network" });
  const title = h("h3");
  const lead = "Networks come and go as Keras’s files; nothing leaves this computer.";
  const saveButton = h("button", { type: "button", class: "primary", onclick: () => void save() }, `Save ${FILE_NAME}`);
  const openButton = fileButton("Open .h5 or .keras", ".h5,.hdf5,.keras", (file) => void open(file));
  const hint = h("p", { class: "note" }, "Files can also be dropped anywhere on the page, pictures pasted too.");
  return {
    element: section(
      "files",
      "Take away",
      lead,
      h("div", { class: "tools" }, saveButton, openButton),
      hint,
      status,
      title,
      table,
    ),
    pictureButton: fileButton("Photo…", "image/*", (file) => void open(file)),
    describe: ({ title: name, layers, parameters }) => {
      title.textContent = `${name}: ${parameters.toLocaleString("en")} parameters`;
      const row = (cells: readonly string[]) => h("tr", {}, ...cells.map((cell) => h("td", {}, cell)));
      const head = ["Layer", "Output", "Parameters"].map((cell) => h("th", { scope: "col" }, cell));
      const lines = layers.map((layer) =>
        row([`${layer.name} (${layer.className})`, layer.outputShape.join("×"), layer.parameters.toLocaleString("en")]),
      );
      table.replaceChildren(
        h("table", { class: "layers" }, h("thead", {}, h("tr", {}, ...head)), h("tbody", {}, ...lines)),
      );
    },
  };
}
