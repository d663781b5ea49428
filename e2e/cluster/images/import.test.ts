import { digestOf } from './import.ts';

const listing = `REF                           TYPE                                       DIGEST      SIZE      PLATFORMS   LABELS
docker.io/library/nats:2.15.2 application/vnd.oci.image.manifest.v1+json sha256:aaaa 16.4 MiB linux/amd64 -
localhost/postfleet:dev       application/vnd.oci.image.manifest.v1+json sha256:bbbb 275.0 MiB linux/amd64 -
`;

test.each([
  ['docker.io/library/nats:2.15.2', 'sha256:aaaa'],
  ['localhost/postfleet:dev', 'sha256:bbbb'],
  ['localhost/postfleet', undefined],
])('the digest of %s', (name, digest) => {
  expect(digestOf(listing, name)).toBe(digest);
});
