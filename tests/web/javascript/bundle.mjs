/** node bundle.mjs jsx|vue SOURCE: prints a script that shows the component `Inbox` of SOURCE with `window.TOKEN` in #app. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";

const WEB = new URL("../../../web/package.json", import.meta.url);
const require = createRequire(WEB);
const { build } = require("esbuild");

const [kind, source] = process.argv.slice(2);
const MOUNT = {
  jsx: `import { createRoot } from "react-dom/client"; import { Inbox } from "source";
        createRoot(document.querySelector("#app")).render(<Inbox token={window.TOKEN} />);`,
  vue: `import { createApp } from "vue"; import Inbox from "source";
        createApp(Inbox, { token: window.TOKEN }).mount("#app");`,
};

const own = {
  name: "source",
  setup({ onResolve, onLoad }) {
    onResolve({ filter: /^source$/ }, () => ({ path: source, namespace: "own" }));
    onLoad({ filter: /.*/, namespace: "own" }, () => ({ contents: read(), loader: "jsx", resolveDir: dirname(WEB.pathname) }));
  },
};

const { outputFiles } = await build({
  stdin: { contents: MOUNT[kind], loader: "jsx", resolveDir: dirname(WEB.pathname) },
  define: { "process.env.NODE_ENV": '"production"', __VUE_OPTIONS_API__: "true", __VUE_PROD_DEVTOOLS__: "false" },
  plugins: [own],
  bundle: true,
  format: "esm",
  jsx: "automatic",
  write: false,
});
process.stdout.write(outputFiles[0].text);

/** The component as JavaScript. */
function read() {
  const text = readFileSync(source, "utf8");
  if (kind === "jsx") return text;
  const { compileScript, parse } = require("vue/compiler-sfc");
  const compilerOptions = { isCustomElement: (tag) => tag.startsWith("belfry-") };
  return compileScript(parse(text).descriptor, { id: "inbox", inlineTemplate: true, templateOptions: { compilerOptions } })
    .content;
}
