import * as tf from '@tensorflow/tfjs-core';
import { FrugalError } from '../errors.ts';
import type { BackendProvider, Report, Started } from '../seams/index.ts';

/** Options of `webgl`. */
export interface WebGlOptions {
  /** Loads the backend when it is wanted: `() => import('@tensorflow/tfjs-backend-webgl')`. Default: it was imported already. */
  readonly load?: () => Promise<unknown>;
  /** Whether WebGL that is calculated on the CPU will do. Default false. */
  readonly software?: boolean;
}

/** What a drawing context says of itself. */
interface Context {
  getExtension(name: string): { readonly UNMASKED_RENDERER_WEBGL: number } | null;
  getParameter(name: number): unknown;
}

/** A WebGL 2 context of a canvas that nobody sees, in a page or in a worker. */
function context(software: boolean): Context | null {
  const scope = globalThis as {
    OffscreenCanvas?: new (width: number, height: number) => { getContext(kind: string, options: object): unknown };
    document?: { createElement(tag: string): { getContext(kind: string, options: object): unknown } };
  };
  const canvas =
    scope.OffscreenCanvas === undefined ? scope.document?.createElement('canvas') : new scope.OffscreenCanvas(1, 1);
  return (canvas?.getContext('webgl2', { failIfMajorPerformanceCaveat: !software }) ?? null) as Context | null;
}

/** The name of what draws, as far as the browser tells. */
function deviceOf(gl: Context): string {
  const extension = gl.getExtension('WEBGL_debug_renderer_info');
  return extension === null ? 'unnamed' : String(gl.getParameter(extension.UNMASKED_RENDERER_WEBGL));
}

/**
 * tfjs's WebGL backend, for pages where there is neither WebGPU nor WebAssembly's SIMD: `useBackend([webgpu(), wasm(), webgl()])`.
 *
 * This package does not depend on it: `import '@tensorflow/tfjs-backend-webgl'`, or pass `load`.
 *
 * @param options Where the backend comes from, and whether an emulated device will do.
 */
export function webgl({ load, software = false }: WebGlOptions = {}): BackendProvider {
  const describe = async (): Promise<Report> => {
    const no = (reason: string, fix: string): Report => ({ name: 'webgl', available: false, reason, fix, details: {} });
    const gl = context(software);
    // Not every browser counts being emulated as a "major performance caveat".
    if (gl === null || (!software && /swiftshader|llvmpipe|basic render/i.test(deviceOf(gl)))) {
      const reason = `There is no WebGL 2 here${software ? '' : ' on a real GPU'}.`;
      return no(reason, software ? 'Use wasm.' : 'Use wasm, or webgl({ software: true }).');
    }
    try {
      await load?.();
    } catch (error) {
      return no(`tfjs's WebGL backend could not be loaded: ${(error as Error).message}`, INSTALL);
    }
    if (!tf.findBackendFactory('webgl')) return no("tfjs's WebGL backend was not imported.", INSTALL);
    return {
      name: 'webgl',
      available: true,
      reason: 'WebGL 2 runs here.',
      details: { device: deviceOf(gl), software },
    };
  };
  return {
    name: 'webgl',
    describe,
    async start(): Promise<Started> {
      const { available, reason, fix, details } = await describe();
      if (!available) throw new FrugalError('BACKEND_MISSING', `${reason} ${fix}`);
      if (software) tf.env().set('SOFTWARE_WEBGL_ENABLED', true);
      // Where it does not start, tfjs silently takes another backend.
      if (!(await tf.setBackend('webgl')) || tf.getBackend() !== 'webgl') {
        throw new FrugalError('BACKEND_MISSING', 'tfjs could not start WebGL. Use wasm.');
      }
      const precision = tf.env().getBool('WEBGL_RENDER_FLOAT32_ENABLED') ? 'float32' : 'float16';
      return {
        name: 'webgl',
        reason: `WebGL 2 runs here (${details.device}; ${precision}).`,
        details: { ...details, precision },
      };
    },
  };
}

const INSTALL = "npm install @tensorflow/tfjs-backend-webgl, and import '@tensorflow/tfjs-backend-webgl'.";
