/**
 * @module
 * This server's membership in the etcd that several servers share: who it is there, how servers come in and go out.
 * Knows: names of members, votes, what was given up halfway. Leaves to others: running etcd (control-plane/), the calls
 * (datastore/client), who may ask (join/, api/).
 *
 *   a new server ──POST /v1/etcd/members──▶ a member without a vote ──it has caught up──▶ with one ──its Node goes──▶ out
 */
export { hasData, isMember, keepFirstServer, openMember } from './member.ts';
export type { Member, MemberLeaves } from './member.ts';
export { createEtcdMembers } from './members.ts';
export type { EtcdMembers } from './members.ts';
export { MemberWaitsError, NoMembersError } from './errors.ts';
