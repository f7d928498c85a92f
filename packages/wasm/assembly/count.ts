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
  let x = ptr(g, 2);
  for (let row = 0; row < rows; row++) {
    let lanes = i32x4.splat(0), to = byColumn, count = 0, c = 0;
    for (; c + 4 <= columns; c += 4) {
      // −1 where it is above.
      const above = i32x4.gt_s(v128.and(v128.load(x), magnitude), most);
      v128.store(to, i32x4.sub(v128.load(to), above));
      lanes = i32x4.sub(lanes, above);
      x += 16;
      to += 16;
    }
    for (; c < columns; c++) {
      const above = i32((load<i32>(x) & 0x7fffffff) > limit);
      store<i32>(to, load<i32>(to) + above);
      count += above;
      x += 4;
      to += 4;
    }
    count += i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1);
    count += i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3);
    store<i32>(byRow + bytes(row), count);
  }
}
