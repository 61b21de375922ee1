// Data that the page carries as base64 of gzip, unpacked piece by piece, so that
// the page stays alive meanwhile.

/** Lets the browser paint and answer. */
export const pause = (): Promise<void> =>
  new Promise((done) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => done();
    channel.port2.postMessage(0);
  });

/** Returns a function that pauses if the last pause is more than 12 ms ago. */
export function breather(): () => Promise<void> | undefined {
  let since = performance.now();
  return () => {
    if (performance.now() - since < 12) return undefined;
    return pause().then(() => void (since = performance.now()));
  };
}

/** Returns the unpacked bytes. */
export async function unpack(base64: string): Promise<Uint8Array> {
  const piece = 4 * 65536; // whole groups of four characters
  const text = base64.trim();
  let at = 0;
  const packed = new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(out) {
      if (at >= text.length) {
        out.close();
        return;
      }
      const raw = atob(text.slice(at, at + piece));
      const bytes = new Uint8Array(raw.length);
      for (let i = 0; i < raw.length; i++) bytes[i] = raw.charCodeAt(i);
      at += piece;
      out.enqueue(bytes);
      await pause();
    },
  });
  const reader = packed.pipeThrough(new DecompressionStream("gzip")).getReader();
  const parts: Uint8Array[] = [];
  let size = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  const all = new Uint8Array(size);
  let to = 0;
  for (const part of parts) {
    all.set(part, to);
    to += part.length;
  }
  return all;
}

/** Bytes as lines, of which each is found without reading the others. */
export class Lines {
  readonly starts: Uint32Array;
  readonly length: number;
  private readonly utf8 = new TextDecoder();
  private readonly latin1 = new TextDecoder("latin1");

  constructor(readonly bytes: Uint8Array) {
    const starts: number[] = [];
    for (let at = 0; at < bytes.length;) {
      starts.push(at);
      const end = bytes.indexOf(10, at);
      at = end < 0 ? bytes.length + 1 : end + 1;
    }
    this.length = starts.length;
    starts.push(bytes[bytes.length - 1] === 10 ? bytes.length : bytes.length + 1);
    this.starts = Uint32Array.from(starts);
  }

  line(i: number): Uint8Array {
    return this.bytes.subarray(this.starts[i], this.starts[i + 1]! - 1);
  }

  text(i: number): string {
    return this.utf8.decode(this.line(i));
  }

  /**
   * Calls hit with each line that contains the text, whatever its case. Bytes are
   * compared as characters, one each, so that an offset is that of the line too.
   */
  async search(text: string, hit: (line: number) => void, stopped: () => boolean): Promise<void> {
    const wanted = this.latin1.decode(new TextEncoder().encode(text)).toLowerCase();
    const breathe = breather();
    const step = 512;
    for (let i = 0; i < this.length; i += step) {
      const first = this.starts[i]!;
      const end = Math.min(i + step, this.length);
      const block = this.latin1.decode(this.bytes.subarray(first, this.starts[end])).toLowerCase();
      let line = i;
      for (let at = block.indexOf(wanted); at >= 0; at = block.indexOf(wanted, at)) {
        while (line + 1 < end && this.starts[line + 1]! - first <= at) line++;
        hit(line++);
        if (line >= end) break;
        at = this.starts[line]! - first;
      }
      await breathe();
      if (stopped()) return;
    }
  }
}
