/**
 * Kinds of values that settings of both modes have, each refused in words that say what is allowed.
 */
import { isIP } from 'node:net';
import * as z from 'zod';
import { isNodeName, nodeNameRule } from '../node-name.ts';

export const port = z
  .int('it must be a port, 1 to 65535')
  .min(1, 'it must be a port, 1 to 65535')
  .max(65535, 'it must be a port, 1 to 65535');
export const cidr4 = z.cidrv4("it must be an IPv4 range such as '10.42.0.0/16'");
export const ipv4 = z.ipv4("it must be an IPv4 address such as '10.43.0.10'");
const dnsLabels = '[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?(\\.[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)*';
const dnsName = new RegExp(`^(?=.{1,253}$)${dnsLabels}$`);
/** With a star in place of the first label, as certificates have it. */
const certificateName = new RegExp(`^(?=.{1,253}$)(\\*\\.)?${dnsLabels}$`);
const withoutMore = 'write the host alone, without https://, port and path';
/** Names and addresses that stand in a certificate. */
export const hosts = z
  .array(
    z
      .string()
      .refine(
        (text) => isIP(text) !== 0 || (certificateName.test(text) && !/^[\d.]+$/.test(text)),
        `each must be a name or an address such as 'kagent.example.com' or '203.0.113.5'; ${withoutMore}`,
      ),
  )
  .default([]);
export const dnsNames = z
  .array(
    z
      .string()
      .refine(
        (text) => dnsName.test(text) && !/^[\d.]+$/.test(text),
        `each must be a name such as 'node-1.example.com'; ${withoutMore}`,
      ),
  )
  .default([]);
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
export const unsupported = (why: string, accepts: readonly string[] = []) =>
  z.undefined().optional().describe(why).meta({ accepts });
/** @see Kubernetes "Labels and Selectors", Syntax and character set */
const labelWord = '[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?';
const labelKey = `([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?${labelWord}`;
export const label = z
  .array(
    z
      .string()
      .regex(
        new RegExp(`^${labelKey}=(${labelWord})?$`),
        "each must be 'key=value' as Kubernetes has labels: letters, digits, '-', '_' and '.', 63 characters each; write it so, or leave it out",
      ),
  )
  .default([]);
export const taint = z
  .array(
    z
      .string()
      .regex(
        new RegExp(`^${labelKey}(=(${labelWord})?)?:(NoSchedule|PreferNoSchedule|NoExecute)$`),
        "each must be 'key=value:Effect', Effect NoSchedule, PreferNoSchedule or NoExecute, key and value as labels have them",
      ),
  )
  .default([]);
export const nodeName = z.string().refine(isNodeName, `a node name has ${nodeNameRule}`);
