/** Importing a style sheet gives its text; the build minifies it. */
declare module "*.css" {
  const text: string;
  export default text;
}
