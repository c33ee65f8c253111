/** The number on the browser's tab: in its title, and on its icon. */

const SIZE = 64; // pixels of the icon

export class PageBadge {
  #title: string | null = null;
  #said: string | null = null; // the title with the number; any other is the page's own
  #links: HTMLLinkElement[] = [];
  #own: HTMLLinkElement | null = null;
  #shown = 0;

  show(count: number): void {
    if (count === this.#shown) return;
    if (count === 0) {
      this.clear();
      return;
    }
    this.#shown = count;
    if (document.title !== this.#said) this.#title = document.title;
    document.title = `(${count > 99 ? "99+" : count}) ${this.#title}`;
    this.#said = document.title; // the browser strips spaces
    void this.#drawIcon(count);
  }

  /** As the page had them. */
  clear(): void {
    if (this.#title !== null && document.title === this.#said) document.title = this.#title;
    this.#own?.remove();
    for (const link of this.#links) document.head.append(link);
    this.#title = this.#said = this.#own = null;
    this.#links = [];
    this.#shown = 0;
  }

  async #drawIcon(count: number): Promise<void> {
    if (!this.#own) {
      this.#links = [...document.head.querySelectorAll<HTMLLinkElement>('link[rel~="icon"]')];
      for (const link of this.#links) link.remove();
      this.#own = document.createElement("link");
      this.#own.rel = "icon";
      document.head.append(this.#own);
    }
    const image = await loaded(this.#links[0]?.href);
    const icon = drawn(image, count > 9 ? "9+" : String(count));
    if (icon && this.#own) this.#own.href = icon;
  }
}

async function loaded(address: string | undefined): Promise<HTMLImageElement | null> {
  if (!address) return null;
  const image = new Image();
  image.src = address;
  return image.decode().then(
    () => image,
    () => null,
  );
}

function drawn(image: HTMLImageElement | null, text: string): string | null {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = SIZE;
  const context = canvas.getContext("2d");
  if (!context) return null;
  if (image) context.drawImage(image, 0, 0, SIZE, SIZE);
  context.fillStyle = "#d92d20";
  context.beginPath();
  context.arc(SIZE - 20, 20, 20, 0, Math.PI * 2);
  context.fill();
  context.fillStyle = "#fff";
  context.font = "bold 26px sans-serif";
  context.textAlign = "center";
  context.textBaseline = "middle";
  context.fillText(text, SIZE - 20, 22);
  try {
    return canvas.toDataURL("image/png");
  } catch {
    return null; // the page's icon is of another origin
  }
}
