import { FrugalError } from '@frugal/tensor';

/**
 * How many directions a set of vectors really uses: e^H of the shares of its singular values (Roy & Vetterli, 2007).
 *
 * H = −Σ pᵢ ln pᵢ with pᵢ = σᵢ / Σσ. From 1, all vectors in one line, to min(rows, columns). By Jacobi's rotations on the smaller Gram matrix, on
 * the host: O(min(rows, columns)³).
 *
 * @param values A matrix, row by row: activations [rows, columns], or a weight.
 * @returns NaN if all are 0.
 * @throws {FrugalError} `BAD_ARGUMENT` if the length does not fit, or there is a NaN.
 */
export function effectiveRank(values: ArrayLike<number>, rows: number, columns: number): number {
  if (!(rows > 0 && columns > 0 && values.length === rows * columns)) {
    throw new FrugalError(
      'BAD_ARGUMENT',
      `effectiveRank: ${values.length} values are no matrix [${rows}, ${columns}].`,
    );
  }
  const squares = eigenvalues(gram(values, rows, columns), Math.min(rows, columns));
  const singular = Array.from(squares, (value) => Math.sqrt(Math.max(0, value)));
  const total = singular.reduce((sum, value) => sum + value, 0);
  if (Number.isNaN(total)) throw new FrugalError('BAD_ARGUMENT', 'effectiveRank: values hold a NaN.');
  let entropy = 0;
  for (const value of singular) if (value > 0) entropy -= (value / total) * Math.log(value / total);
  return total === 0 ? Number.NaN : Math.exp(entropy);
}

/** XᵀX or XXᵀ, whichever is smaller. */
function gram(x: ArrayLike<number>, rows: number, columns: number): Float64Array {
  const wide = columns > rows;
  const n = wide ? rows : columns;
  const inner = wide ? columns : rows;
  const at = (i: number, k: number): number => (wide ? x[i * columns + k]! : x[k * columns + i]!);
  const out = new Float64Array(n * n);
  for (let i = 0; i < n; i++) {
    for (let j = i; j < n; j++) {
      let sum = 0;
      for (let k = 0; k < inner; k++) sum += at(i, k) * at(j, k);
      out[i * n + j] = sum;
      out[j * n + i] = sum;
    }
  }
  return out;
}

/** Eigenvalues of a symmetric matrix by cyclic Jacobi rotations; `a` is overwritten. */
function eigenvalues(a: Float64Array, n: number): Float64Array {
  const norm = Math.sqrt(a.reduce((sum, value) => sum + value * value, 0));
  for (let sweep = 0; sweep < 60; sweep++) {
    let off = 0;
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) off += a[i * n + j]! ** 2;
    if (!(Math.sqrt(off) > 1e-12 * norm)) break;
    for (let p = 0; p < n; p++) for (let q = p + 1; q < n; q++) rotate(a, n, p, q);
  }
  return Float64Array.from({ length: n }, (_, i) => a[i * n + i]!);
}

/** Makes a[p, q] zero. */
function rotate(a: Float64Array, n: number, p: number, q: number): void {
  const apq = a[p * n + q]!;
  if (apq === 0) return;
  const theta = (a[q * n + q]! - a[p * n + p]!) / (2 * apq);
  const t = Math.sign(theta || 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const c = 1 / Math.sqrt(t * t + 1);
  const s = t * c;
  for (let k = 0; k < n; k++) {
    const [akp, akq] = [a[k * n + p]!, a[k * n + q]!];
    a[k * n + p] = c * akp - s * akq;
    a[k * n + q] = s * akp + c * akq;
  }
  for (let k = 0; k < n; k++) {
    const [apk, aqk] = [a[p * n + k]!, a[q * n + k]!];
    a[p * n + k] = c * apk - s * aqk;
    a[q * n + k] = s * apk + c * aqk;
  }
}
