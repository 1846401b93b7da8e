import { expect, test } from 'vitest';
import { readImage } from '../../../../src/agent/runtime/containerd-api.ts';
import { ProtoReader } from '../../../../src/shared/protobuf/protobuf.ts';
import { bytesField as field } from '../../../helpers/protobuf-bytes.ts';

test('an image is read with its name, digest and labels, whatever else is in it', () => {
  const label = Buffer.concat([field(1, 'io.cri-containerd.pinned'), field(2, 'pinned')]);
  const size = Buffer.from([3 * 8, 0x80, 0x01]);
  const target = Buffer.concat([field(1, 'application/vnd.oci.image.manifest.v1+json'), field(2, 'sha256:aa'), size]);
  const created = field(4, Buffer.from([8, 1]));
  const message = Buffer.concat([field(1, 'kagent.sh/pause:1'), field(2, label), field(3, target), created]);
  expect(readImage(new ProtoReader(message))).toEqual({
    name: 'kagent.sh/pause:1',
    digest: 'sha256:aa',
    labels: { 'io.cri-containerd.pinned': 'pinned' },
  });
});
