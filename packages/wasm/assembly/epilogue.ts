// What follows a matmul or a convolution on its own rows: bias and activation, in place.
import { activateRow } from './math';
import { bytes } from './prelude';

/** c[i, j] ← act(c[i, j] + bias[j]) for rows [m0, m1) and columns [n0, n1); `bias` 0: none. */
export function epilogue(
  c: usize, ldc: usize, m0: i32, m1: i32, n0: i32, n1: i32, bias: usize, kind: i32, parameter: f32,
): void {
  if (kind == 0 && bias == 0) return;
  const columns = n1 - n0;
  if (bias) bias += bytes(n0);
  const whole = <usize>columns == ldc;
  for (let i = m0; i < m1; i++) {
    const row = c + (<usize>i * ldc + <usize>n0) * 4;
    if (bias) addRow(row, bias, columns);
    if (kind && !whole) activateRow(row, row, columns, kind, parameter);
  }
  // Whole rows are one long one.
  const first = c + (<usize>m0 * ldc << 2);
  if (kind && whole) activateRow(first, first, (m1 - m0) * columns, kind, parameter);
}

/** row[j] ← row[j] + bias[j] */
export function addRow(row: usize, bias: usize, n: i32): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    v128.store(row, f32x4.add(v128.load(row), v128.load(bias)));
    row += 16;
    bias += 16;
  }
  for (; i < n; i++) {
    store<f32>(row, load<f32>(row) + load<f32>(bias));
    row += 4;
    bias += 4;
  }
}
