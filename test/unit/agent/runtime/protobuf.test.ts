import { expect, test } from 'vitest';
import { decodeImage } from '../../../../src/agent/runtime/containerd-api.ts';
import { bytesFields } from '../../../../src/agent/runtime/protobuf.ts';

/** A length-delimited field. */
function field(number: number, value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  const length = bytes.length < 128 ? [bytes.length] : [(bytes.length % 128) + 128, Math.floor(bytes.length / 128)];
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), bytes]);
}

test('an image is read with its name, digest and labels, whatever else is in it', () => {
  const label = Buffer.concat([field(1, 'io.cri-containerd.pinned'), field(2, 'pinned')]);
  const size = Buffer.from([3 * 8, 0x80, 0x01]);
  const target = Buffer.concat([field(1, 'application/vnd.oci.image.manifest.v1+json'), field(2, 'sha256:aa'), size]);
  const created = field(4, Buffer.from([8, 1]));
  const message = Buffer.concat([field(1, 'kagent.sh/pause:1'), field(2, label), field(3, target), created]);
  expect(decodeImage(message)).toEqual({
    name: 'kagent.sh/pause:1',
    digest: 'sha256:aa',
    labels: { 'io.cri-containerd.pinned': 'pinned' },
  });
});

test('long values, and fixed numbers between them, are passed over at their true length', () => {
  const message = Buffer.concat([
    field(1, 'x'.repeat(300)),
    Buffer.from([2 * 8 + 1, 1, 2, 3, 4, 5, 6, 7, 8]),
    Buffer.from([3 * 8 + 5, 1, 2, 3, 4]),
    field(4, 'end'),
  ]);
  const found = [...bytesFields(message)].map(([number, value]) => [number, value.length]);
  expect(found).toEqual([
    [1, 300],
    [4, 3],
  ]);
});

test('a message that is cut within a number is refused', () => {
  expect(() => [...bytesFields(Buffer.from([0x80]))]).toThrow(RangeError);
});
