// The matmul op: batches, shares of rows or columns, epilogue.
import { epilogue } from './epilogue';
import { gemm } from './gemm';
import { gemv } from './gemv';
import { bytes, float, int, ptr, scratch, share } from './prelude';
import { MR } from './tiles';

/**
 * C (+)= act(alpha · op(A) · op(B) + bias), `batches` times.
 *
 * 0 flags (1 transpose A, 2 transpose B, 4 add to C), 1 M, 2 N, 3 K, 4 A, 5 lda, 6 B, 7 ldb, 8 C, 9 ldc, 10 bias or 0,
 * 11 activation, 12 its parameter, 13 alpha, 14 batches, 15 stride of A, 16 of B, 17 of C between batches (elements),
 * 18 table per batch or 0: offsets of A, B, C, bias (elements), M, N, K; with it columns are shared out whatever 19 says,
 * 19 path (0 columns shared out, 1 rows shared out, 2 few rows, 3 few columns), 20 parts that a batch is cut into
 * (1: whole batches are shared out)
 */
export function opMatMul(g: usize, chunk: i32, chunks: i32, thread: i32): void {
  const batches = int(g, 14), parts = int(g, 20);
  if (parts == 1) {
    const last = share(batches, 1, chunk + 1, chunks);
    for (let z = share(batches, 1, chunk, chunks); z < last; z++) one(g, z, 0, 1, thread);
  } else one(g, chunk / parts, chunk % parts, parts, thread);
}

/** Words per batch in the table. */
const ROW: i32 = 7;

function one(g: usize, z: i32, part: i32, parts: i32, thread: i32): void {
  const flags = int(g, 0);
  let m = int(g, 1), n = int(g, 2), k = int(g, 3), path = int(g, 19);
  const lda = ptr(g, 5), ldb = ptr(g, 7), ldc = ptr(g, 9), alpha = float(g, 13);
  let a = ptr(g, 4), b = ptr(g, 6), c = ptr(g, 8), bias = ptr(g, 10);
  const table = ptr(g, 18);
  if (table) {
    const row = table + bytes(z * ROW);
    a += ptr(row, 0) << 2;
    b += ptr(row, 1) << 2;
    c += ptr(row, 2) << 2;
    if (bias) bias += ptr(row, 3) << 2;
    m = int(row, 4);
    n = int(row, 5);
    k = int(row, 6);
    if (m == 0) return;
    path = m <= (n < 64 ? 4 : 8) ? 2 : 0;
  } else {
    a += (<usize>z * ptr(g, 15)) << 2;
    b += (<usize>z * ptr(g, 16)) << 2;
    c += (<usize>z * ptr(g, 17)) << 2;
  }
  const ta = (flags & 1) != 0, tb = (flags & 2) != 0, add = (flags & 4) != 0;
  const work = scratch(g, thread);
  let m0 = 0, m1 = m, n0 = 0, n1 = n;
  if (path == 1) {
    m0 = share(m, MR, part, parts);
    m1 = share(m, MR, part + 1, parts);
  } else if (path == 3) {
    m0 = share(m, 8, part, parts);
    m1 = share(m, 8, part + 1, parts);
  } else {
    n0 = share(n, 8, part, parts);
    n1 = share(n, 8, part + 1, parts);
  }
  if (path == 2) gemv(ta, tb, m, k, alpha, a, lda, b, ldb, c, ldc, 1, n0, n1, add, work);
  // Few columns: Cᵀ = Bᵀ · Aᵀ.
  else if (path == 3) gemv(!tb, !ta, n, k, alpha, b, ldb, a, lda, c, 1, ldc, m0, m1, add, work);
  else gemm(ta, tb, k, alpha, a, lda, b, ldb, c, ldc, m0, m1, n0, n1, add, work);
  epilogue(c, ldc, m0, m1, n0, n1, bias, int(g, 11), float(g, 12));
}
