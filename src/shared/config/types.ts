/**
 * Kinds of values that settings of both modes have, each refused in words that say what is allowed.
 */
import * as z from 'zod';

export const port = z
  .int('it must be a port, 1 to 65535')
  .min(1, 'it must be a port, 1 to 65535')
  .max(65535, 'it must be a port, 1 to 65535');
export const cidr4 = z.cidrv4("it must be an IPv4 range such as '10.42.0.0/16'");
export const ipv4 = z.ipv4("it must be an IPv4 address such as '10.43.0.10'");
export const list = z.array(z.string()).default([]);
/** What nobody else may see: not shown, not kept where others read. */
export const secret = z.string().meta({ secret: true });
export const absolutePath = z.string().startsWith('/', 'it must be an absolute path');
/** A file, or where to fetch it. */
export const pathOrAddress = z
  .string()
  .regex(/^(\/|https?:\/\/.)/, 'it must be an absolute path or begin with https:// or http://');
/** `flag=value`, handed to an upstream component. */
export const componentArgs = z
  .array(z.string().regex(/^[^=]+(=.*)?$/, "each must be 'flag=value' as the component takes it, without dashes"))
  .default([])
  .meta({ commas: 'kept' });
/**
 * A setting that k3s has and kagent has not: whoever says it is told why, and what to do instead.
 * @param accepts values that ask for what is the case anyway; so do `false` and an empty text
 */
export const notHere = (why: string, accepts: readonly string[] = []) =>
  z.undefined().optional().describe(why).meta({ accepts });
export const label = z.array(z.string().regex(/^[^=:]+=[^=:]*$/, "each must be 'key=value'")).default([]);
export const taint = z
  .array(
    z
      .string()
      .regex(
        /^[^=:]+(=[^=:]*)?:(NoSchedule|PreferNoSchedule|NoExecute)$/,
        "each must be 'key=value:Effect', Effect NoSchedule, PreferNoSchedule or NoExecute",
      ),
  )
  .default([]);
export const nodeName = z
  .string()
  .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/, 'a node name has lower-case letters, digits, dots and dashes only');
