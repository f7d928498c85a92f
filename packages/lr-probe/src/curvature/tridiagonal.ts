/** Eigenvalues, ascending, and for each the components of its unit eigenvector. */
export interface TridiagonalEigen {
  readonly values: number[];
  /** `vectors[i][j]`: component j of the eigenvector of `values[i]`. */
  readonly vectors: number[][];
}

/**
 * The eigenvalues and eigenvectors of a symmetric tridiagonal matrix, by the QL method with implicit shifts (EISPACK's tql2).
 *
 * @param diagonal n numbers.
 * @param offDiagonal n − 1 numbers.
 */
export function tridiagonalEigen(diagonal: readonly number[], offDiagonal: readonly number[]): TridiagonalEigen {
  const n = diagonal.length;
  const d = [...diagonal];
  const e = [...offDiagonal.slice(0, n - 1), 0];
  const z = Array.from({ length: n }, (_, i) => Array.from({ length: n }, (_, j) => (i === j ? 1 : 0)));
  for (let l = 0; l < n; l++) {
    for (let turn = 0; ; turn++) {
      let m = l;
      while (m < n - 1 && Math.abs(e[m]!) > Number.EPSILON * (Math.abs(d[m]!) + Math.abs(d[m + 1]!))) m++;
      if (m === l || turn === 60) break;
      sweep(d, e, z, l, m);
    }
  }
  const order = d.map((_, i) => i).sort((a, b) => d[a]! - d[b]!);
  return { values: order.map((i) => d[i]!), vectors: order.map((i) => z.map((row) => row[i]!)) };
}

/** One QL step on rows l … m, with Wilkinson's shift. */
function sweep(d: number[], e: number[], z: number[][], l: number, m: number): void {
  let g = (d[l + 1]! - d[l]!) / (2 * e[l]!);
  let r = Math.hypot(g, 1);
  g = d[m]! - d[l]! + e[l]! / (g + (g >= 0 ? r : -r));
  let [s, c, p] = [1, 1, 0];
  let i = m - 1;
  for (; i >= l; i--) {
    const f = s * e[i]!;
    const b = c * e[i]!;
    r = Math.hypot(f, g);
    e[i + 1] = r;
    if (r === 0) {
      d[i + 1]! -= p;
      e[m] = 0;
      break;
    }
    [s, c] = [f / r, g / r];
    g = d[i + 1]! - p;
    r = (d[i]! - g) * s + 2 * c * b;
    p = s * r;
    d[i + 1] = g + p;
    g = c * r - b;
    for (const row of z) {
      const h = row[i + 1]!;
      row[i + 1] = s * row[i]! + c * h;
      row[i] = c * row[i]! - s * h;
    }
  }
  if (r === 0 && i >= l) return;
  d[l]! -= p;
  e[l] = g;
  e[m] = 0;
}
