// @ts-check
// The p2p slot: chunks from peers, which something else finds. A peer is asked for chunks by number, so this needs an artifact with a
// chunk list; the engine checks every chunk, so a peer can waste time but not harm.
import { EdgeNetError } from '../errors.js';
import { CHUNK_BYTES } from '../manifest/chunks.js';

/** @param {import('../fetch/types.js').Peer} peer @returns {import('../fetch/types.js').Source} */
export function peerSource(peer) {
  return {
    id: `p2p:${peer.id}`, kind: 'p2p', parallel: 4,
    async open(artifact) {
      const { size, chunks, chunkSize = CHUNK_BYTES } = artifact;
      if (size === undefined || !chunks) throw new EdgeNetError('UNSUPPORTED', `${artifact.name}: peers are asked only for files whose chunk hashes are known`, { detail: { final: true } });
      return {
        size, version: null, ranges: true, close() {},
        async *read(offset, length, signal) {
          for (let at = offset; at < Math.min(size, offset + length);) {
            const index = Math.floor(at / chunkSize);
            const chunk = await peer.chunk(artifact, index, signal);
            if (!chunk) throw new EdgeNetError('NETWORK', `the peer ${peer.id} does not have chunk ${index}`);
            if (chunk.length !== Math.min(chunkSize, size - index * chunkSize)) throw new EdgeNetError('INTEGRITY', `the peer ${peer.id} gave ${chunk.length} bytes as chunk ${index}`);
            const piece = chunk.subarray(at - index * chunkSize, offset + length - index * chunkSize);
            yield piece;
            at += piece.length;
          }
        },
      };
    },
  };
}
