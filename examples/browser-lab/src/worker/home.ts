let home = '';

/** The page says where it lies; a worker's own address is that of its script. */
export function setHome(address: string): void {
  home = address;
}

/** The address of a file beside the page. */
export const atHome = (path: string): string => new URL(path, home).href;
