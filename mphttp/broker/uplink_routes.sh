#!/bin/sh
# Gives each uplink a routing table of its own, for what leaves from its addresses. Written by
# `mphttp setup --routes`; `mphttp setup --routes --undo` takes it back.
#
# Kernels that ignore the interface of a subflow (Linux 6.1) ask the tables with its addresses alone.
#
#   routes          makes the tables and rules as the default routes are now; other ones of ours go
#   routes remove   removes them all
#   routes watch    does the first again whenever addresses or routes change
#
# What is ours is known by its protocol number. The rules stand just before the main table, behind
# those of a VPN, and what the main table has that is more than a default route still holds.
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
OURS=77
PRIORITY=32765
FIRST_TABLE=1000

# The devices that have a default route, each with the gateway that has the best metric, or "link".
uplinks() {
    ip "$1" -o route show default | while read -r _ words; do
        via=link dev=
        # shellcheck disable=SC2086  # into words
        set -- $words
        while [ $# -gt 1 ]; do
            case $1 in
            nexthop)
                [ -z "$dev" ] || echo "$dev $via"
                via=link
                ;;
            via) via=$2 ;;
            dev) dev=$2 ;;
            esac
            shift
        done
        [ -z "$dev" ] || echo "$dev $via"
    done | awk '!seen[$1]++'
}

addresses() {
    ip "$1" -o address show dev "$2" scope global | awk '{ sub("/.*", "", $4); print $4 }' | sort -u
}

# What there is of ours, as "ADDRESS TABLE"; each has two rules.
ours() {
    ip "$1" rule show | awk -v ours="$OURS" '
        $0 ~ "proto " ours "( |$)" && $4 == "lookup" && $5 != "main" { print $3, $5 }' | sort -u
}

both_rules() { # FAMILY add|del ADDRESS TABLE
    ip "$1" rule "$2" from "$3" lookup main suppress_prefixlength 0 priority "$PRIORITY" protocol "$OURS"
    ip "$1" rule "$2" from "$3" lookup "$4" priority "$PRIORITY" protocol "$OURS"
}

forget() { # FAMILY, and a list of what is to stay
    ours "$1" | while read -r address table; do
        case "$2" in
        *"<$address $table>"*) ;;
        *)
            both_rules "$1" del "$address" "$table"
            ip "$1" route flush table "$table" protocol "$OURS"
            ;;
        esac
    done
}

update() { # FAMILY
    wanted=
    there=$(ours "$1" | sed 's/.*/<&>/')
    for uplink in $(uplinks "$1" | sed 's/ /,/'); do
        dev=${uplink%,*} via=${uplink##*,}
        table=$((FIRST_TABLE + $(ip -o link show dev "$dev" | sed "s/:.*//")))
        route="dev $dev"
        [ "$via" = link ] || route="via $via $route"
        case "$(ip "$1" route show table "$table" 2>/dev/null)" in
        "default $route proto $OURS"*) ;;
        # shellcheck disable=SC2086  # into words
        *) ip "$1" route replace default $route table "$table" protocol "$OURS" || continue ;;
        esac
        for address in $(addresses "$1" "$dev"); do
            wanted="$wanted<$address $table>"
            case "$there" in
            *"<$address $table>"*) ;;
            *) both_rules "$1" add "$address" "$table" ;;
            esac
        done
    done
    forget "$1" "$wanted"
}

case "${1-}" in
remove) forget -4 "" && forget -6 "" ;;
watch)
    update -4 && update -6
    ip -o monitor address route | while read -r change; do
        case "$change" in
        *"proto $OURS"*) ;; # our own
        *) update -4 && update -6 ;;
        esac
    done
    ;;
*) update -4 && update -6 ;;
esac
