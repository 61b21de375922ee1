import tseslint from "typescript-eslint";

// Every text of a page is untrusted: the page makes nodes and text nodes, and
// never markup or code from text.
const sinks = ["innerHTML", "outerHTML", "insertAdjacentHTML", "write", "writeln", "srcdoc", "createContextualFragment"];

const remote = ["fetch", "XMLHttpRequest", "WebSocket", "EventSource", "localStorage"];

export default tseslint.config(
  { ignores: ["dist/", "node_modules/"] },
  {
    files: ["src/**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true } },
    rules: {
      "no-eval": "error",
      "no-implied-eval": "error",
      "no-new-func": "error",
      "no-restricted-properties": ["error", ...sinks.map((property) => ({ property, message: "makes markup from text" }))],
      "no-restricted-globals": ["error", ...remote],
      // A number in a sentence is what it looks like.
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      // Typed arrays are read inside their bounds.
      "@typescript-eslint/no-non-null-assertion": "off",
      "@typescript-eslint/no-confusing-void-expression": ["error", { ignoreArrowShorthand: true }],
    },
  },
  // The report requests nothing. The fleet's page requests its data, here.
  { files: ["src/fleet/load.ts"], rules: { "no-restricted-globals": ["error", ...remote.filter((name) => name !== "fetch")] } },
);
