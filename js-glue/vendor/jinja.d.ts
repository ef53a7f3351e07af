/** The part of @huggingface/jinja that we use; the build bundles that package into jinja.js beside this file. */
export class Template {
  constructor(template: string);
  render(context: Record<string, unknown>): string;
}
