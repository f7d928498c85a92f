// How many magnitudes are above a limit, by row and by column.
import { bytes, int, ptr } from './prelude';

/**
 * Magnitudes are ordered as their bits are, NaN last. `byColumn` is zero at first; one thread, so that its sums need no parts.
 *
 * 0 rows, 1 columns, 2 x, 3 bits of the limit, 4 byRow, 5 byColumn
 */
export function opCountAbove(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const rows = int(g, 0), columns = int(g, 1), limit = int(g, 3), byRow = ptr(g, 4), byColumn = ptr(g, 5);
  const most = i32x4.splat(limit), magnitude = i32x4.splat(0x7fffffff);
  // Columns that fill no vector are read as one too, but where it would reach beyond x; their sums stay in a register.
  const rest = columns & 3, whole = columns - rest;
  const real = i32x4.gt_s(i32x4.splat(rest), i32x4(0, 1, 2, 3));
  let x = ptr(g, 2), last = i32x4.splat(0);
  for (let row = 0; row < rows; row++) {
    let lanes = i32x4.splat(0), to = byColumn;
    for (let c = 0; c < whole; c += 4) {
      // −1 where it is above.
      const above = i32x4.gt_s(v128.and(v128.load(x), magnitude), most);
      v128.store(to, i32x4.sub(v128.load(to), above));
      lanes = i32x4.sub(lanes, above);
      x += 16;
      to += 16;
    }
    if (rest) {
      let values = i32x4.splat(0);
      if ((rows - row) * columns >= whole + 4) values = v128.load(x);
      else {
        values = i32x4.replace_lane(values, 0, load<i32>(x));
        if (rest > 1) values = i32x4.replace_lane(values, 1, load<i32>(x, 4));
        if (rest > 2) values = i32x4.replace_lane(values, 2, load<i32>(x, 8));
      }
      const above = v128.and(real, i32x4.gt_s(v128.and(values, magnitude), most));
      last = i32x4.sub(last, above);
      lanes = i32x4.sub(lanes, above);
      x += bytes(rest);
    }
    const left = i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1);
    const right = i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3);
    store<i32>(byRow + bytes(row), left + right);
  }
  const to = byColumn + bytes(whole);
  if (rest > 0) store<i32>(to, i32x4.extract_lane(last, 0));
  if (rest > 1) store<i32>(to, i32x4.extract_lane(last, 1), 4);
  if (rest > 2) store<i32>(to, i32x4.extract_lane(last, 2), 8);
}
