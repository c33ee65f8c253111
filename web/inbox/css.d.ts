/** A style sheet is imported as its text; the build takes its white space away. */
declare module "*.css" {
  const text: string;
  export default text;
}
