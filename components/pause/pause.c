/*
 * The first process of every pod: holds the pod's namespaces open, and, where
 * a pod shares its process namespace, buries the children others have left.
 * Ends on SIGTERM or SIGINT. Does nothing else, in as little memory as it can.
 */
#include <signal.h>
#include <stddef.h>
#include <sys/wait.h>

int main(void) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGCHLD);
  /* Blocked signals wait for sigwait, so none is lost between two calls. */
  if (sigprocmask(SIG_BLOCK, &signals, NULL) != 0) return 1;
  for (;;) {
    int caught;
    if (sigwait(&signals, &caught) != 0) continue;
    if (caught != SIGCHLD) return 0;
    while (waitpid(-1, NULL, WNOHANG) > 0) {
    }
  }
}
