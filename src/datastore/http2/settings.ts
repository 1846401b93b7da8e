/** What both sides say of themselves at the beginning, and may change later. Spec: RFC 9113, section 6.5. */
import {
  ConnectionError,
  defaultMaxFrameBytes,
  errorCodes,
  maxMaxFrameBytes,
  maxWindowBytes,
  settingIds,
} from './frames.ts';

/** What the peer has said of what concerns us. */
export interface PeerSettings {
  maxFrameBytes?: number;
  /** Of each new stream. */
  windowBytes?: number;
}

const entryBytes = 6;

export function writeSettings(settings: readonly (readonly [id: number, value: number])[]): Buffer {
  const payload = Buffer.alloc(entryBytes * settings.length);
  settings.forEach(([id, value], at) => payload.writeUInt32BE(value, payload.writeUInt16BE(id, entryBytes * at)));
  return payload;
}

/** The last value of each counts; unknown ones are ignored. @throws {ConnectionError} */
export function readSettings(payload: Buffer): PeerSettings {
  if (payload.length % entryBytes !== 0) {
    throw new ConnectionError(errorCodes.frameSizeError, 'SETTINGS of another length');
  }
  const settings: PeerSettings = {};
  for (let at = 0; at < payload.length; at += entryBytes) {
    readSetting(settings, payload.readUInt16BE(at), payload.readUInt32BE(at + 2));
  }
  return settings;
}

function readSetting(settings: PeerSettings, id: number, value: number): void {
  if (id === settingIds.enablePush && value > 1) {
    throw new ConnectionError(errorCodes.protocolError, `ENABLE_PUSH ${value}`);
  } else if (id === settingIds.maxFrameSize) {
    if (value < defaultMaxFrameBytes || value > maxMaxFrameBytes) {
      throw new ConnectionError(errorCodes.protocolError, `MAX_FRAME_SIZE ${value}`);
    }
    settings.maxFrameBytes = value;
  } else if (id === settingIds.initialWindowSize) {
    if (value > maxWindowBytes) throw new ConnectionError(errorCodes.flowControlError, `INITIAL_WINDOW_SIZE ${value}`);
    settings.windowBytes = value;
  }
}
