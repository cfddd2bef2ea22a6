import { existsSync } from 'node:fs';
import { FFEError } from '../base/errors.js';
import { FFE as BaseFFE, type CallOptions, type Input, type Model } from '../client/ffe.js';
import type { Network } from '../client/network.js';
import type { Source } from '../session/blob.js';
import type { SpoolWriter } from '../storage/spool.js';
import { fileSource, findNetwork, newFileSpool, writeFolder } from './files.js';

/** The client with Node's files: paths as data, networks by name, adapters written to folders. */
export class FFE extends BaseFFE {
  /** @internal */
  protected override findNetwork(name: string): Promise<Network> {
    return /^https?:/.test(name) ? super.findNetwork(name) : findNetwork(name);
  }

  /** @internal */
  protected override newSpool(): Promise<SpoolWriter> {
    return newFileSpool();
  }

  /** @internal */
  protected override sourceOf(input: Input): Promise<[Source, string]> {
    return typeof input === 'string' ? fileSource(input) : super.sourceOf(input);
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
