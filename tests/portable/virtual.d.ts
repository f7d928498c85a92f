/** What a bundle's own suites are imported from: see bundle.ts. */
declare module 'portable:suites' {
  export const suites: Readonly<Record<string, () => Promise<unknown>>>;
}
