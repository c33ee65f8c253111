/** Makes dist/: the client library, the inbox component, and the demo page's script and style sheet. `node build.mjs` */

import { existsSync, readFileSync, rmSync } from "node:fs";
import { build, transform } from "esbuild";

const ENTRIES = {
  "belfry-client": "client/index.ts",
  "belfry-inbox": "inbox/index.ts",
  demo: "demo/demo.ts",
  page: "demo/page.css",
};

/** The component's style sheets are text in its script. */
const sheets = {
  name: "sheets",
  setup({ onLoad }) {
    onLoad({ filter: /inbox\/styles\/.*\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

rmSync("dist", { recursive: true, force: true });
await build({
  entryPoints: Object.fromEntries(Object.entries(ENTRIES).filter(([, path]) => existsSync(path))),
  outdir: "dist",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  platform: "browser",
  plugins: [sheets],
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
});
