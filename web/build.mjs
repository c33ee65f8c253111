/** Makes dist/: the client library, the inbox component, and the demo page's script. `node build.mjs` */

import { existsSync, rmSync } from "node:fs";
import { build } from "esbuild";

const ENTRIES = {
  "belfry-client": "client/index.ts",
  "belfry-inbox": "inbox/index.ts",
  demo: "demo/demo.ts",
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
  sourcemap: true,
  legalComments: "none",
  logLevel: "warning",
});
