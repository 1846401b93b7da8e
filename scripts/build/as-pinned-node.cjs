/**
 * Loaded into npm: it chooses packages for the Node that will run them, and not for the one that npm itself runs on. On an
 * old one it would leave out, without a word, the optional packages that want a newer one, such as the linter's.
 */
const { packages } = require('../../package-lock.json');
const pinned = packages[`node_modules/node-linux-${process.arch}`];
if (pinned !== undefined) Object.defineProperty(process, 'version', { value: `v${pinned.version}` });
