// Stands in for Prettier's Babel and ESTree plugins, half a megabyte of which GraphiQL uses to indent JSON.
import { applyEdits, format, parse as parseJsonc, printParseErrorCode } from "jsonc-parser";

function parse(text) {
  const errors = [];
  parseJsonc(text, errors, { allowTrailingComma: true, allowEmptyContent: true });
  if (errors.length) throw new SyntaxError(printParseErrorCode(errors[0].error));
  return { text };
}

const options = { insertSpaces: true, tabSize: 2, insertFinalNewline: true };

export const parsers = {
  jsonc: { parse, astFormat: "estree", locStart: () => 0, locEnd: ({ text }) => text.length },
};
export const printers = {
  estree: { print: ({ node }) => applyEdits(node.text, format(node.text, undefined, options)) },
};
