/** Shows openapi.json with Swagger UI, in the colours that the reader's system prefers. */

const reference = document.getElementById("reference");

/** What a screen reader needs and Swagger UI lacks; and no list of servers, which has one entry. */
function accessible({ React: { createElement } }) {
  return {
    wrapComponents: {
      Button: () => (props) => createElement("button", { ...props, "aria-label": undefined }), // it has another text
      CloseIcon: () => () => createElement("span", { role: "img", "aria-label": "Close" }, "×"),
      DeepLink: () => (props) => props.text, // a link inside of a button
      ExamplesSelect: (Select) => (props) => createElement("label", null, "Example ", createElement(Select, props)),
      ServersContainer: () => () => null,
    },
  };
}

function followColorScheme() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
  dark.addEventListener("change", apply);
  apply();
}

followColorScheme();
if (typeof SwaggerUIBundle === "undefined") {
  reference.firstElementChild.prepend("Swagger UI is not built here; `make setup` builds it. ");
} else {
  SwaggerUIBundle({
    url: "openapi.json",
    domNode: reference,
    deepLinking: true,
    syntaxHighlight: false,
    validatorUrl: "none",
    plugins: [accessible],
  });
}
