/** Shows the count in the page's title and on its icon. */

const SIZE = 64; // pixels of the icon

export class PageBadge {
  #title: string | null = null;
  #ownTitle: string | null = null; // the title with the count; any other was set by the page
  #pageLinks: HTMLLinkElement[] = [];
  #ownLink: HTMLLinkElement | null = null;
  #shown = 0;

  show(count: number): void {
    if (count === this.#shown) return;
    if (count === 0) {
      this.clear();
      return;
    }
    this.#shown = count;
    if (document.title !== this.#ownTitle) this.#title = document.title;
    document.title = `(${count > 99 ? "99+" : count}) ${this.#title}`;
    this.#ownTitle = document.title; // the browser strips spaces
    void this.#drawIcon(count);
  }

  /** Restore the page's title and icon. */
  clear(): void {
    if (this.#title !== null && document.title === this.#ownTitle) document.title = this.#title;
    this.#ownLink?.remove();
    for (const link of this.#pageLinks) document.head.append(link);
    this.#title = this.#ownTitle = this.#ownLink = null;
    this.#pageLinks = [];
    this.#shown = 0;
  }

  async #drawIcon(count: number): Promise<void> {
    if (!this.#ownLink) {
      this.#pageLinks = [...document.head.querySelectorAll<HTMLLinkElement>('link[rel~="icon"]')];
      for (const link of this.#pageLinks) link.remove();
      this.#ownLink = document.createElement("link");
      this.#ownLink.rel = "icon";
      document.head.append(this.#ownLink);
    }
    const image = await load(this.#pageLinks[0]?.href);
    const icon = draw(image, count > 9 ? "9+" : String(count));
    if (icon && this.#ownLink) this.#ownLink.href = icon;
  }
}

async function load(address: string | undefined): Promise<HTMLImageElement | null> {
  if (!address) return null;
  const image = new Image();
  image.src = address;
  return image.decode().then(
    () => image,
    () => null,
  );
}

function draw(image: HTMLImageElement | null, text: string): string | null {
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
    return null; // an image of another origin makes the canvas unreadable
  }
}
