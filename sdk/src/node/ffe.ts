import { existsSync } from 'node:fs';
import { FFEError } from '../base/errors.js';
import { FFE as BaseFFE } from '../client/ffe.js';
import { browserSurroundings, type Surroundings } from '../client/surroundings.js';
import type { CallOptions, Model } from '../client/types.js';
import { fileGuard } from './rollback.js';
import { fileShelf } from './shelf.js';
import { fileSource, findNetwork, newFileSpool, writeFolder } from './files.js';

const nodeSurroundings: Surroundings = {
  findNetwork: (name) =>
    /^https?:/.test(name) ? browserSurroundings.findNetwork(name) : findNetwork(name),
  newSpool: newFileSpool,
  sourceOf: (input) =>
    typeof input === 'string' ? fileSource(input) : browserSurroundings.sourceOf(input),
  rollbackGuard: fileGuard,
  shelf: fileShelf,
};

/** The client with Node's files: paths as data, networks by name, adapters written to folders. */
export class FFE extends BaseFFE {
  /** @internal */
  protected override surroundings(): Surroundings {
    return nodeSurroundings;
  }

  /** As in browsers; with `folder`, which must not exist yet, also written there. */
  override async download(
    sessionId: bigint | number | string,
    options: CallOptions & { folder?: string } = {},
  ): Promise<Model> {
    const { folder } = options;
    if (folder !== undefined && existsSync(folder)) {
      throw new FFEError('usage', `${folder} exists already`, 'name a new folder');
    }
    const model = await super.download(sessionId, options);
    if (folder !== undefined) await writeFolder(folder, model.files);
    return model;
  }
}
