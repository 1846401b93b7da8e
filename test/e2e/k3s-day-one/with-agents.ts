/** The first day on a server with two agents. */
import { theCluster } from '../three-hosts.ts';
import { firstDay } from './day.ts';

firstDay(theCluster);
