#include "gateway/process.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static sigset_t
ending_signals(void)
{
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    return signals;
}

void
process_harden(void)
{
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    const struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    signal(SIGPIPE, SIG_IGN);
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        setrlimit(RLIMIT_NOFILE, &files);
    }
    sigset_t signals = ending_signals();
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
}

size_t
process_files_max(void)
{
    struct rlimit files;
    return getrlimit(RLIMIT_NOFILE, &files) == 0 ? (size_t)files.rlim_cur : 1024;
}

enum process_signal
process_wait(void)
{
    sigset_t signals = ending_signals();
    int signal_number = 0;
    while (sigwait(&signals, &signal_number) != 0)
        ;
    return signal_number == SIGHUP ? PROCESS_RELOAD : PROCESS_END;
}
