<?php

declare(strict_types=1);

namespace Schemacast\Laravel\Database;

/**
 * The ids of runs: 48 bits of time in milliseconds, 80 random bits, 26 characters. Here
 * because Str::ulid() exists from Laravel 9 on.
 */
final class Ulid
{
    private const ALPHABET = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';

    public static function make(): string
    {
        $time = (int) (microtime(true) * 1000);
        $id = '';
        for ($i = 0; $i < 10; $i++) {
            $id = self::ALPHABET[$time & 31] . $id;
            $time >>= 5;
        }
        foreach (str_split(random_bytes(16)) as $byte) {
            $id .= self::ALPHABET[ord($byte) & 31];
        }
        return $id;
    }
}
