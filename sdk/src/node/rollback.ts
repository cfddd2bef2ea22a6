// The C++ client's file: what one of them saw, the other knows.
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { rollbackGuard, type RollbackGuard } from '../tee/rollback.js';
import { dataFolder, ioError } from './files.js';

const path = (): string => join(dataFolder(), 'attestation.json');

export const fileGuard: RollbackGuard = rollbackGuard({
  get name() {
    return path();
  },
  async read() {
    return readFile(path(), 'utf8').catch((cause: NodeJS.ErrnoException) => {
      if (cause.code === 'ENOENT') return undefined;
      throw ioError(`cannot open ${path()}`, cause);
    });
  },
  async write(text) {
    const beside = `${path()}.${process.pid}`;
    try {
      await mkdir(dirname(path()), { recursive: true });
      await writeFile(beside, text, { mode: 0o600 });
      await rename(beside, path());
    } catch (cause) {
      throw ioError(`${path()}: cannot be written`, cause);
    }
  },
});
