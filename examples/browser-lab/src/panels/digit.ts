/** Draws a digit of 28 × 28 bytes. */
export function drawDigit(canvas: HTMLCanvasElement, pixels: Uint8Array, index: number): void {
  const pen = canvas.getContext('2d')!;
  const image = pen.createImageData(28, 28);
  for (let i = 0; i < 784; i++) {
    const value = pixels[index * 784 + i]!;
    image.data.set([value, value, value, 255], 4 * i);
  }
  pen.putImageData(image, 0, 0);
}
