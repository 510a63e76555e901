/** The worst mistakes, as pictures. */
import { type Html, html, section } from "./html.ts";
import type { Picture } from "./pictures.ts";
import { count, decimals, probability } from "./words.ts";

/** An image that was taken for what it is not. */
export interface Mistake {
  /** Number of the image in the test set, from 0. */
  readonly index: number;
  readonly picture: Picture;
  /** The class that it is of, and the one that it was taken for. */
  readonly label: number;
  readonly taken: number;
  /** What the model gave for the two. */
  readonly outputs: { readonly label: number; readonly taken: number };
}

export interface Mistakes {
  readonly count: number;
  readonly worst: readonly Mistake[];
  /** Whether outputs are probabilities. */
  readonly areProbabilities: boolean;
}

function mistakeFigure(mistake: Mistake, names: readonly string[], format: (output: number) => string): Html {
  const { index, picture, label, taken, outputs } = mistake;
  const [is, was] = [names[label]!, names[taken]!];
  const { address, width, height } = picture;
  return html`<li><figure>
<img src="${address}" width="${width}" height="${height}" alt="Test image ${index}: ${is}, taken for ${was}">
<figcaption><span class="what"><b>${is}</b> taken for <b class="wrong">${was}</b></span>
<span class="how">${was}: ${format(outputs.taken)}</span>
<span class="how">${is}: ${format(outputs.label)}</span>
<span class="how">no. ${index}</span></figcaption>
</figure></li>`;
}

export function gallerySection({ count: all, worst, areProbabilities }: Mistakes, names: readonly string[]): Html {
  if (worst.length === 0) return section("mistakes", "Mistakes", html`<p>There are none.</p>`);
  const format = areProbabilities ? probability : decimals;
  const which = worst.length < all ? `The ${worst.length} worst of ${count(all)}` : "All of them";
  const what = areProbabilities
    ? "with the probabilities that the network gave"
    : "with the outputs that the network gave";
  return section(
    "mistakes",
    "Mistakes",
    html`<p class="note">${which}, the surest first, ${what}. No. is the place in the test set, from 0.</p>
<ul class="gallery">
${worst.map((mistake) => mistakeFigure(mistake, names, format))}
</ul>`,
  );
}
