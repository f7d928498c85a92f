/** A share in [0, 1] as a colour from dark blue over teal to yellow, RGB. */
export function heat(share: number): [number, number, number] {
  const stops = [
    [44, 20, 84],
    [38, 130, 142],
    [253, 231, 37],
  ] as const;
  const at = Math.min(1, Math.max(0, share)) * (stops.length - 1);
  const i = Math.min(stops.length - 2, Math.floor(at));
  const [from, to] = [stops[i]!, stops[i + 1]!];
  return from.map((value, c) => Math.round(value + (at - i) * (to[c]! - value))) as [number, number, number];
}

export const rgb = (share: number): string => `rgb(${heat(share).join(',')})`;

/** Text as it may stand in SVG. */
export function escapeXml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (c) => names[c]!);
}
