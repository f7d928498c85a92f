// The gradient of a convolution with respect to its filter: windowsᵀ · dy, summed over all output pixels in order.
import { filterTile4, filterTile8 } from './conv-tiles';
import { spill } from './gemm';
import { BLOCK, padImages, windowTable } from './image';
import { packB } from './pack';
import { bytes, int, ptr, scratch, share } from './prelude';
import { MR } from './tiles';

/** Arguments: image.ts. Stretches of MR window elements are shared out, so no thread adds to another's sums. */
export function opConvFilter(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const table = scratch(g, thread), edge = table + bytes(BLOCK), panel = table + ptr(g, 22), padded = table + ptr(g, 23);
  const r = int(g, 8), n = int(g, 7), ldc = bytes(n);
  const perRun = (r + MR - 1) / MR, units = int(g, 9) * perRun;
  const u0 = share(units, 1, chunk, chunks), u1 = share(units, 1, chunk + 1, chunks);
  const pixels = int(g, 5) * int(g, 6), end = int(g, 1) * pixels;
  let first = -1, last = -1;
  for (let i = 0; i < end; i += BLOCK) {
    const rows = min(BLOCK, end - i), b0 = i / pixels, b1 = (i + rows - 1) / pixels + 1;
    if (b0 != first || b1 != last) padImages(g, padded, b0, b1);
    first = b0;
    last = b1;
    windowTable(g, table, padded, b0, i, rows);
    const add = i > 0;
    for (let j = 0; j < n; j += 8) {
      const columns = min(8, n - j), width = columns > 4 ? 8 : 4;
      packB(false, ptr(g, 18) + <usize>i * ldc, n, j, columns, width, 0, rows, panel);
      for (let u = u0; u < u1; u++) {
        const q = u / perRun, e = (u % perRun) * MR, mr = min(MR, r - e);
        const offset = <usize>load<u32>(ptr(g, 10) + bytes(q)) + bytes(e);
        const to = ptr(g, 17) + <usize>(q * r + e) * ldc + bytes(j);
        if (mr == MR && columns == width) {
          if (width == 8) filterTile8(rows, table, offset, panel, to, ldc, add);
          else filterTile4(rows, table, offset, panel, to, ldc, add);
        } else {
          if (width == 8) filterTile8(rows, table, offset, panel, edge, 32, false);
          else filterTile4(rows, table, offset, panel, edge, 16, false);
          spill(edge, width, to, ldc, mr, columns, add);
        }
      }
    }
  }
}
