/** Builds dist/: the client library and the component with their types, and the demo page's script and style sheet. */

import { execFileSync } from "node:child_process";
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { build, transform } from "esbuild";

const ENTRIES = {
  "belfry-client": "client/index.ts",
  "belfry-inbox": "inbox/index.ts",
  demo: "demo/demo.ts",
  page: "demo/page.css",
};

/** Imports of the component's style sheets give their minified text. */
const sheets = {
  name: "sheets",
  setup({ onLoad }) {
    onLoad({ filter: /inbox\/styles\/.*\.css$/ }, async ({ path }) => {
      const { code } = await transform(readFileSync(path, "utf8"), { loader: "css", minify: true });
      return { contents: code, loader: "text" };
    });
  },
};

/** The API's reference page, /docs, is made of these: files of a package, as they are, with their licences. */
const REFERENCE = ["swagger-ui-bundle.js", "swagger-ui-bundle.js.LICENSE.txt", "swagger-ui.css", "LICENSE", "NOTICE"];

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
for (const name of REFERENCE) cpSync(`node_modules/swagger-ui-dist/${name}`, `dist/swagger-ui/${name}`);

execFileSync(process.execPath, ["node_modules/typescript/bin/tsc", "-p", "tsconfig.types.json"], { stdio: "inherit" });
for (const name of readdirSync("dist/types", { recursive: true })) {
  if (!name.endsWith(".d.ts")) continue;
  const text = readFileSync(`dist/types/${name}`, "utf8");
  writeFileSync(`dist/types/${name}`, text.replaceAll(/(from "\.[^"]*)\.ts"/g, '$1.js"')); // every TypeScript resolves these
}
