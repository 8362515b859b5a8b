%% bench/peers/twin_peer.erl - the workloads of bench/micro/exchange.c and create.c in Erlang.
%%
%% usage: erl -noshell -s twin_peer main WORKLOAD PERCENT; prints one JSON object.
-module(twin_peer).
-export([main/1]).

-define(CHUNK, 100).

main([Workload, Percent]) ->
    Scale = list_to_integer(atom_to_list(Percent)),
    Figures = run(Workload, fun(Usual) -> max(1, Usual * Scale div 100) end),
    io:put_chars(["{", lists:join(",", Figures), "}\n"]),
    halt(0).

run(ping_pong, Scaled) -> ring(2, Scaled(2000000));
run(ring, Scaled) -> ring(1000, Scaled(2000000));
run(fan_in, Scaled) -> fan_in(8, Scaled(250000));
run(big, Scaled) -> big(256, Scaled(4000));
run(create, Scaled) -> create(Scaled(200000)).

%% Wall and CPU time a message, from before Start() to when this process is told `done`.
measure(Messages, Start) ->
    {Cpu, _} = statistics(runtime),
    Begin = erlang:monotonic_time(nanosecond),
    Start(),
    receive done -> ok end,
    Wall = erlang:monotonic_time(nanosecond) - Begin,
    {CpuEnd, _} = statistics(runtime),
    [figure("ns", Wall / Messages), figure("cpu_ns", (CpuEnd - Cpu) * 1000000 / Messages)].

figure(Name, Value) -> io_lib:format("\"~s\":~.2f", [Name, Value]).

ring(Actors, Hops) ->
    Main = self(),
    First = spawn(fun() -> receive {next, Next} -> pass(Next, Main) end end),
    Last = lists:foldl(fun(_, Next) -> spawn(fun() -> pass(Next, Main) end) end, First,
                       lists:seq(2, Actors)),
    First ! {next, Last},
    measure(Hops, fun() -> First ! Hops end).

pass(Next, Main) ->
    receive
        0 -> Main ! done;
        Left -> Next ! Left - 1
    end,
    pass(Next, Main).

fan_in(Producers, Each) ->
    Main = self(),
    Consumer = spawn(fun() -> consume(Producers * Each, Main) end),
    Pids = [spawn(fun() -> receive go -> produce(Consumer, Each) end end)
            || _ <- lists:seq(1, Producers)],
    measure(Producers * Each, fun() -> [Pid ! go || Pid <- Pids] end).

consume(0, Main) -> Main ! done;
consume(Left, Main) -> receive _Number -> consume(Left - 1, Main) end.

%% Erlang preempts and needs no message to itself between two chunks.
produce(_, 0) -> ok;
produce(Consumer, Left) ->
    Consumer ! Left,
    produce(Consumer, Left - 1).

big(Actors, Pings) ->
    Main = self(),
    Counter = atomics:new(1, []),
    atomics:put(Counter, 1, Actors),
    Pids = [spawn(fun() ->
                          receive {go, Crowd} -> meet(Crowd, Actors, Pings, Counter, Main) end
                  end) || _ <- lists:seq(1, Actors)],
    Crowd = list_to_tuple(Pids),
    measure(Actors * Pings * 2, fun() -> [Pid ! {go, Crowd} || Pid <- Pids] end).

meet(Crowd, Actors, Pings, Counter, Main) ->
    Seed = erlang:phash2(self(), 1 bsl 30),
    ping(Crowd, Actors, Pings, Seed, Counter, Main).

ping(Crowd, Actors, 0, Random, Counter, Main) ->
    case atomics:sub_get(Counter, 1, 1) of
        0 -> Main ! done;
        _ -> ok
    end,
    answer(Crowd, Actors, 0, Random, Counter, Main);
ping(Crowd, Actors, Left, Random, Counter, Main) ->
    Next = (Random * 1103515245 + 12345) band 16#3fffffff,
    element((Next bsr 12) rem Actors + 1, Crowd) ! {ping, self()},
    answer(Crowd, Actors, Left - 1, Next, Counter, Main).

answer(Crowd, Actors, Left, Random, Counter, Main) ->
    receive
        {ping, From} ->
            From ! pong,
            answer(Crowd, Actors, Left, Random, Counter, Main);
        pong ->
            ping(Crowd, Actors, Left, Random, Counter, Main)
    end.

create(Actors) ->
    Main = self(),
    Counter = atomics:new(1, []),
    Before = resident_bytes(),
    Times = measure(Actors, fun() -> spawn(fun() -> make(Actors, Actors, Counter, Main) end) end),
    Times ++ [figure("bytes", (resident_bytes() - Before) / Actors)].

make(0, _, _, _) -> ok;
make(Left, Actors, Counter, Main) ->
    Pid = spawn(fun() -> small(Actors, Counter, Main) end),
    Pid ! hello,
    make(Left - 1, Actors, Counter, Main).

small(Actors, Counter, Main) ->
    receive hello -> ok end,
    case atomics:add_get(Counter, 1, 1) of
        Actors -> Main ! done;
        _ -> ok
    end,
    small(Actors, Counter, Main).

resident_bytes() ->
    {ok, Text} = file:read_file("/proc/self/statm"),
    [_, Resident | _] = string:lexemes(Text, " "),
    binary_to_integer(Resident) * 4096.
