/** Reads a wheel's RECORD: path → sha256 in base64url. Lines without a sum (RECORD itself) are left out. */
export function parseRecord(text: string): Map<string, string> {
  const sums = new Map<string, string>();
  for (const line of text.split('\n')) {
    const match = /^"?([^"]+?)"?,sha256=([\w-]+)=*,\d*\r?$/.exec(line);
    if (match !== null) sums.set(match[1]!, match[2]!);
  }
  return sums;
}

/** The C headers that the binding is compiled against: several layouts, as they moved between versions. */
export function isNeededHeader(path: string): boolean {
  return /^tensorflow\/include\/(tensorflow\/c\/.*|tensorflow\/(core|tsl)\/(platform|c)\/[^/]*|tsl\/(c|platform)\/[^/]*|xla\/tsl\/c\/[^/]*)\.h$/.test(
    path,
  );
}
