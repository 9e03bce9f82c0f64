#include "io/digest_rsa.h"

#include "base/base64.h"
#include "io/digest_aes.h"

#include <criterion/criterion.h>
#include <stddef.h>

/* A key, what Python's cryptography 48 signed and encrypted with it: "header.claims", and the bytes 0 to 31. */
static const struct {
    const char *text;
    size_t at, size;
} numbers[] = {
    {"rgA8LPSczFSPb2sEEVGi5dc9krL+M+8hD+XYf0MFKvG/dgWstpsigimNQ1fNZlGBlDXn6H/QssoY"
     "2L93gAvAYA1Pn6kHtoBrY3TuBnn67hxjsCvcKavvvKvfbTrrbLitOJRNgMVdAZyyUqSbcvJvySiw"
     "q5I83mcBTEqL9C/2j7sFuy706/rm/s3swIoNuCmPQ2nLqDTLJJgL39cgJrGpegcOYrsq0pKuHDfS"
     "HMpi+xT53pnOs6if+V+r0jc8Stu1W27+4m6Nvz4hYKy1RMS2HjOIHzyCiRbVCuBfcYB0KBINzfEy"
     "swC7Vo7bsgqzXXiJq27gFzfQ9ZdPVF9ERkoxxw==",
     offsetof(struct rsa_numbers, modulus), 256},
    {"AQAB", offsetof(struct rsa_numbers, exponent), 3},
    {"Ce96gCim4WX8sLnVcssMuFS42oJnpdMu5Jz/u+M5otDzWUu2p9CmQPTFcQXM9TLh6XLF32PuU0nb"
     "RFkee4xwO4EsaEClxO6CnfG50QXbEF3vn/TJLq9M0k2lcDPFPfaHnED08fg9uM9X7AR5LzBCYM6h"
     "fpKBm5jEcrTuVo78jwq14ouV1spxOaTpE2TVKqr34oeMebfyqbOLG03DWdh57cLt2261oTSOSwJY"
     "zQ4tR8eIvGOGWzLMdCuMIs3Ni3rMstE+QOoqq8GlUTSNfx0H9ws0yIPWWPQtM4HDax+AI/Jkieir"
     "NFuhH2kKjQoqx7l415ugwxf3MajTSJnu1/5YZQ==",
     offsetof(struct rsa_numbers, d), 256},
    {"04/ym74SUx11xOqyiKpzGlrLp4NnBi8xkMCrM2qkXlOpaLl+eqwGamjvs836EQ1PPa8QD8btqhNc"
     "36EFJ+xdaElAFHzKCCwiRoI5bPBZ9sdMCs6pfbP4cdsNj8wi108bPxJZJ2komTko2icTs7bBsxbT"
     "sGwOiNM4GcBDSQDjwPM=",
     offsetof(struct rsa_numbers, p), 128},
    {"0oyM5aq2w1Po4kDdDoixRtir5CPFf/rqfYbMVafwn2FGsvEnXOP77omQqxcM0RUWHYPVxCpkFNVI"
     "4pVreWEag3XEzrnZURNX+1+pfqWg7w+5SmoPXNgjc1d7C/fZsIqqxXQ9bYi/MBoUrlzXhQ6rCHIS"
     "o2Eu/FbdEGFSvFnI4N0=",
     offsetof(struct rsa_numbers, q), 128},
    {"B4ZYL7fr+O7UUIO0g+3kGCzgj325/VtSXP6tWC/T1tMM9H+cgwp5U/GVjQSnf1HE3sHKRXVi4Ki9"
     "peqZP1lF3T61u8TQfsfrFCzvk/Ncj8144+2D08fB73LGIbY2CwhyRKUHbMJtwj1pOZEoPz0h2JfY"
     "Qa8mOTGiDjBrdD5G24c=",
     offsetof(struct rsa_numbers, dp), 128},
    {"eL7BzrQoO7xTQe2Q2FTr1YVMjnk1Oj/bWkGDzVuSUtSmhthlio/0WsfpfzSo1P8Sv7prTSRCYPAv"
     "7EFkcSeO3PUc+LD8P9KoEjC6MzcpI/AQguxwAv6w1eTFXAe3f9cGOFaBI9/YRO2wDo6Pym6vBxjk"
     "N230VCI8hLhLilizKsE=",
     offsetof(struct rsa_numbers, dq), 128},
    {"jd0HHO1HMASzAbi20Ika++1MLrsVcTifMQIw3RBF3FU2X/9oB/w6A8QG0e5UM+5VeEzFl4zklo6K"
     "pwUR45KDyB/PaWbA1isEqHNY+dwz6IgAbwiWWz4XDc+NxVLeJ3zPMG1ihVJWhUDynamZwjgpN6ru"
     "cwnHOjSOsZm9PZYB26A=",
     offsetof(struct rsa_numbers, inverse_q), 128},
};
static const char rs256[] =
    "n8Aki3WIxGX80GpbX/tEydyW0wmJx3wqaIBoS2IN2T+0JO5itLQV/Odg+B+NodnLmhidyd3jdE7l"
    "hSc0CJutdckFVBkSqsPE2iBo2kYledn0fp7h3bs0EufxhGALqntRVH/SjmLEbbQCSa8Uc3YIScrM"
    "MSRXurVHApAOhXke2gpeHu0p2yHLLviUYtJwahnpG1+lChUmoQwr6cN8i4q6a9eVb3umAzBLfXRB"
    "avJExiq/dtBWbAnvimPmf8sI6a6fOv/u3LUx/8H/jPy1S57OERnmRuwYBApvJCDrM+8iGPpsz/Xg"
    "IR4XR+4NyCQ9LcXHxubGP4RtU9JMU+Wr2XZmsw==";
static const char ps256[] =
    "HEFY9BYO53/bRRjiAUwFqoel41AuuDMVvaqxVQZQjXhA/guRYjP16h4l9dQVUB7G6eH2+8jwVuN4"
    "+7aqGhGrxWj6Z98sj5739PdJc+iEBBgLfJh/hD7eDKC5qz8TyNRboWkJauf0fyMSIsc5spVlDoI/"
    "9AllC4+yaqEyRz4TfBU3/rAAOF1m87fO2gkdzCzDcS1pezDTyr+eTsDnIKcdTF3jPFOaERq6UQC7"
    "Y40U3ptD/wXw71t6RoWOiWuOHzB6wNv+trZrgPZ5EOtkR1JpsX+j8+decTjypjsBfQ+EXRR5f1Dq"
    "tZrHzQuLp6+w7f4QHcMs2RYm6U5AvA5Lj5DOLw==";
static const char oaep_sha1[] =
    "p/x7EAB+ftFb/+Q7F2YpYHnHfVXB43xF3nHKXDSqUteyR/VHisBcim7U1+S5OZcmgIzh/DI/zQBP"
    "A3BUOlj9JSoPzt9LgUzyBTohGd3pWQMQdU6M0Liv5AOdBLv50zmaL4PivtyvRw7kQOVC9fOA27RC"
    "ihdt/3MJ4KeSHZvFkAmyd+JNKmLg1bQa19/wBd7lTnsB+e+TyG5UcSDH2Uypsvp9hxtddM8bSDzp"
    "nvQbkRmKYWwSBUEQUxmyjndi2a4TLm/ua5ZG3mpthG3dLm7Xch/9r8lNw0pTwf/arrf/8P67QXUn"
    "BKz7/zW8ZzETo98qoAC+6ZmRELnh67Do0RTrSw==";
static const char oaep_sha256[] =
    "e2b8zrGqun0D5xWCka0OINhviDGd9ZHZkxMWqa8snz62O+fS5tE5ig3Rn7qQBFvJ0eMC5GuP8wkS"
    "Tu8XV2giubuDVkzHiirYci3tApXsMdhOICDW+hHWetpHukz4NZp71KSDnrjVwv8ChSVajBTbxMTM"
    "HjYaN+uiAbTvp7Z9ZSHjilGp8yvhOmBeU81m3VSp7ksedrFA0YCdcakRoyCN5XqKe6/TPawC0WAy"
    "xaCVucWakY68QQdU6ivhapSCoPt78HOTSSR2UTMkNtDJ75bf/5QVHTTUZu4W4UuctE6otOuZuO+0"
    "MVfYoG+hFEARPfpqZqnGqxacRrq94AEXZPBNyQ==";

/* The same key as files have it, and what is none that we take. */
static const char pkcs1[] = "-----BEGIN RSA PRIVATE KEY-----\n"
                            "MIIEowIBAAKCAQEArgA8LPSczFSPb2sEEVGi5dc9krL+M+8hD+XYf0MFKvG/dgWs\n"
                            "tpsigimNQ1fNZlGBlDXn6H/QssoY2L93gAvAYA1Pn6kHtoBrY3TuBnn67hxjsCvc\n"
                            "KavvvKvfbTrrbLitOJRNgMVdAZyyUqSbcvJvySiwq5I83mcBTEqL9C/2j7sFuy70\n"
                            "6/rm/s3swIoNuCmPQ2nLqDTLJJgL39cgJrGpegcOYrsq0pKuHDfSHMpi+xT53pnO\n"
                            "s6if+V+r0jc8Stu1W27+4m6Nvz4hYKy1RMS2HjOIHzyCiRbVCuBfcYB0KBINzfEy\n"
                            "swC7Vo7bsgqzXXiJq27gFzfQ9ZdPVF9ERkoxxwIDAQABAoIBAAnveoAopuFl/LC5\n"
                            "1XLLDLhUuNqCZ6XTLuSc/7vjOaLQ81lLtqfQpkD0xXEFzPUy4elyxd9j7lNJ20RZ\n"
                            "HnuMcDuBLGhApcTugp3xudEF2xBd75/0yS6vTNJNpXAzxT32h5xA9PH4PbjPV+wE\n"
                            "eS8wQmDOoX6SgZuYxHK07laO/I8KteKLldbKcTmk6RNk1Sqq9+KHjHm38qmzixtN\n"
                            "w1nYee3C7dtutaE0jksCWM0OLUfHiLxjhlsyzHQrjCLNzYt6zLLRPkDqKqvBpVE0\n"
                            "jX8dB/cLNMiD1lj0LTOBw2sfgCPyZInoqzRboR9pCo0KKse5eNeboMMX9zGo00iZ\n"
                            "7tf+WGUCgYEA04/ym74SUx11xOqyiKpzGlrLp4NnBi8xkMCrM2qkXlOpaLl+eqwG\n"
                            "amjvs836EQ1PPa8QD8btqhNc36EFJ+xdaElAFHzKCCwiRoI5bPBZ9sdMCs6pfbP4\n"
                            "cdsNj8wi108bPxJZJ2komTko2icTs7bBsxbTsGwOiNM4GcBDSQDjwPMCgYEA0oyM\n"
                            "5aq2w1Po4kDdDoixRtir5CPFf/rqfYbMVafwn2FGsvEnXOP77omQqxcM0RUWHYPV\n"
                            "xCpkFNVI4pVreWEag3XEzrnZURNX+1+pfqWg7w+5SmoPXNgjc1d7C/fZsIqqxXQ9\n"
                            "bYi/MBoUrlzXhQ6rCHISo2Eu/FbdEGFSvFnI4N0CgYAHhlgvt+v47tRQg7SD7eQY\n"
                            "LOCPfbn9W1Jc/q1YL9PW0wz0f5yDCnlT8ZWNBKd/UcTewcpFdWLgqL2l6pk/WUXd\n"
                            "PrW7xNB+x+sULO+T81yPzXjj7YPTx8HvcsYhtjYLCHJEpQdswm3CPWk5kSg/PSHY\n"
                            "l9hBryY5MaIOMGt0PkbbhwKBgHi+wc60KDu8U0HtkNhU69WFTI55NTo/21pBg81b\n"
                            "klLUpobYZYqP9FrH6X80qNT/Er+6a00kQmDwL+xBZHEnjtz1HPiw/D/SqBIwujM3\n"
                            "KSPwEILscAL+sNXkxVwHt3/XBjhWgSPf2ETtsA6Oj8purwcY5Ddt9FQiPIS4S4pY\n"
                            "syrBAoGBAI3dBxztRzAEswG4ttCJGvvtTC67FXE4nzECMN0QRdxVNl//aAf8OgPE\n"
                            "BtHuVDPuVXhMxZeM5JaOiqcFEeOSg8gfz2lmwNYrBKhzWPncM+iIAG8Ills+Fw3P\n"
                            "jcVS3id8zzBtYoVSVoVA8p2pmcI4KTeq7nMJxzo0jrGZvT2WAdug\n"
                            "-----END RSA PRIVATE KEY-----\n";
static const char pkcs8[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQCuADws9JzMVI9v\n"
                            "awQRUaLl1z2Ssv4z7yEP5dh/QwUq8b92Bay2myKCKY1DV81mUYGUNefof9CyyhjY\n"
                            "v3eAC8BgDU+fqQe2gGtjdO4GefruHGOwK9wpq++8q99tOutsuK04lE2AxV0BnLJS\n"
                            "pJty8m/JKLCrkjzeZwFMSov0L/aPuwW7LvTr+ub+zezAig24KY9DacuoNMskmAvf\n"
                            "1yAmsal6Bw5iuyrSkq4cN9IcymL7FPnemc6zqJ/5X6vSNzxK27Vbbv7ibo2/PiFg\n"
                            "rLVExLYeM4gfPIKJFtUK4F9xgHQoEg3N8TKzALtWjtuyCrNdeImrbuAXN9D1l09U\n"
                            "X0RGSjHHAgMBAAECggEACe96gCim4WX8sLnVcssMuFS42oJnpdMu5Jz/u+M5otDz\n"
                            "WUu2p9CmQPTFcQXM9TLh6XLF32PuU0nbRFkee4xwO4EsaEClxO6CnfG50QXbEF3v\n"
                            "n/TJLq9M0k2lcDPFPfaHnED08fg9uM9X7AR5LzBCYM6hfpKBm5jEcrTuVo78jwq1\n"
                            "4ouV1spxOaTpE2TVKqr34oeMebfyqbOLG03DWdh57cLt2261oTSOSwJYzQ4tR8eI\n"
                            "vGOGWzLMdCuMIs3Ni3rMstE+QOoqq8GlUTSNfx0H9ws0yIPWWPQtM4HDax+AI/Jk\n"
                            "ieirNFuhH2kKjQoqx7l415ugwxf3MajTSJnu1/5YZQKBgQDTj/KbvhJTHXXE6rKI\n"
                            "qnMaWsung2cGLzGQwKszaqReU6louX56rAZqaO+zzfoRDU89rxAPxu2qE1zfoQUn\n"
                            "7F1oSUAUfMoILCJGgjls8Fn2x0wKzql9s/hx2w2PzCLXTxs/ElknaSiZOSjaJxOz\n"
                            "tsGzFtOwbA6I0zgZwENJAOPA8wKBgQDSjIzlqrbDU+jiQN0OiLFG2KvkI8V/+up9\n"
                            "hsxVp/CfYUay8Sdc4/vuiZCrFwzRFRYdg9XEKmQU1UjilWt5YRqDdcTOudlRE1f7\n"
                            "X6l+paDvD7lKag9c2CNzV3sL99mwiqrFdD1tiL8wGhSuXNeFDqsIchKjYS78Vt0Q\n"
                            "YVK8Wcjg3QKBgAeGWC+36/ju1FCDtIPt5Bgs4I99uf1bUlz+rVgv09bTDPR/nIMK\n"
                            "eVPxlY0Ep39RxN7BykV1YuCovaXqmT9ZRd0+tbvE0H7H6xQs75PzXI/NeOPtg9PH\n"
                            "we9yxiG2NgsIckSlB2zCbcI9aTmRKD89IdiX2EGvJjkxog4wa3Q+RtuHAoGAeL7B\n"
                            "zrQoO7xTQe2Q2FTr1YVMjnk1Oj/bWkGDzVuSUtSmhthlio/0WsfpfzSo1P8Sv7pr\n"
                            "TSRCYPAv7EFkcSeO3PUc+LD8P9KoEjC6MzcpI/AQguxwAv6w1eTFXAe3f9cGOFaB\n"
                            "I9/YRO2wDo6Pym6vBxjkN230VCI8hLhLilizKsECgYEAjd0HHO1HMASzAbi20Ika\n"
                            "++1MLrsVcTifMQIw3RBF3FU2X/9oB/w6A8QG0e5UM+5VeEzFl4zklo6KpwUR45KD\n"
                            "yB/PaWbA1isEqHNY+dwz6IgAbwiWWz4XDc+NxVLeJ3zPMG1ihVJWhUDynamZwjgp\n"
                            "N6rucwnHOjSOsZm9PZYB26A=\n"
                            "-----END PRIVATE KEY-----\n";
static const char elliptic[] = "-----BEGIN EC PRIVATE KEY-----\n"
                               "MHcCAQEEIIGvB2odC8QXwT4+0AxZeokwyyRyux7xLGVdKvRO/5DLoAoGCCqGSM49\n"
                               "AwEHoUQDQgAEQDGNHs3Q4WCn3ydc2ql61iyGIqGjFetKbgXl5KmUkNHoYTXXdviz\n"
                               "iz9nRpCom9iN8SR99JuTkh+raUKicKP1UA==\n"
                               "-----END EC PRIVATE KEY-----\n";
static const char small[] = "-----BEGIN PRIVATE KEY-----\n"
                            "MIICdQIBADANBgkqhkiG9w0BAQEFAASCAl8wggJbAgEAAoGBAL6UZZ/HMlTRS4kl\n"
                            "xuiv5E9BboWH1Dl21mjKE6oC5Y1vSMPkmcaYwkujFEFptnqlKhRnv1rOgo0F6k1Z\n"
                            "htLtztUoVl06EZ0+vM1UY/dKnuWT8E3B2l9RqZTBYO7MfweIxEBrVsu+QnSvsIwY\n"
                            "ackODfPjgBgzLjfs8cuYLe3GOVUXAgMBAAECgYA9GLHjoSZ/joFavGOiIRFeXymh\n"
                            "YUQmD/T4rx/Stw8EYpK/SkAKLNrNCMDrn4pCk0SEOiZcZCvyLd1JYtQYNujBWlsY\n"
                            "v7XkQ3Gky1ivwfSIHNncXqwykv7ONYJoV2QEs6MR2aay1O76UNUQQxcloPNEU65r\n"
                            "Mn1N2zV96I6XaJDCMQJBAPs1tm6HUJ4y0Cb7LGCEXHIxek0dxEr6dp3OzNeTDjW+\n"
                            "F0wa5kLSnO/Ehy9mP89p62iKzMQWQryDJ18tWsUr/bMCQQDCNrd6bmWQpr3tRopN\n"
                            "spl9vXJJ9izWdvTBhoKh5Bn7wp1z1nDhG64hENPzR89tXsjEbDTVHzczEnBKfkvO\n"
                            "oUENAkAweyVCH4tHfLb/Tuo5llHhF/tqdpwzfDL4MbkGwbK0XINShL57lvoCrAMK\n"
                            "+sjF1sM/4cmy7jji+MzYaYBjHSJRAkAmWkPVa6Om8yaiisGZImHpUNYXAQRNveQL\n"
                            "q5J0geUXsJEDZR+ZdKvoX7hbXJz7zjH7iBrO04FFFqkSLOqvfWypAkBxUWXZ3F/H\n"
                            "dZXwci8KZYCiAKiJv6vw9u+qrFfvRu4waJVvOI6BcXU/E32EdotLKhpxe116rhkR\n"
                            "oiFWhQ3abTWg\n"
                            "-----END PRIVATE KEY-----\n";
static const char with_passphrase[] =
    "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
    "MIIFLTBXBgkqhkiG9w0BBQ0wSjApBgkqhkiG9w0BBQwwHAQIctP/8GI5/vYCAggA\n"
    "MAwGCCqGSIb3DQIJBQAwHQYJYIZIAWUDBAEqBBDT2tRYhUF7kJ9PQXkUsYx9BIIE\n"
    "0Lkor0bSNPldCA3F3nKtGEMr4UytRtXLBEWaAzBscIA+0yP2cGIyw1pEHEFARDxz\n"
    "tMG23Fomml9AUuQNaw5t+xWg2HxVmND2sogmkG17BhOSj2yb1vOVfJnRTymqK4Wt\n"
    "W4lJkG6Zeh6bsyz5tpqva1l3RYK0HH1Vb6oM6GErSj0SXfsV0gM5T52Ac2bB5nyF\n"
    "hHA5KNdpxT4dZTj5MvRwMPV95PB3oPZuj0Z2KlQZffzbIlEjHi0tPCA3xaYlh8Js\n"
    "uwBpWtRCZ1OtrpqBcqeWiGACAx9BdR9bRZrKOGhtnp/OnC6qLR7dnTLTTr2nUeSj\n"
    "VLW/ik5fIBYqtmKHdBVFMg0jcxkXgR+kOep7etm1ll1McjfQOIKE6ZNGTTXlKa6B\n"
    "BLMIoe+0OSi9+1a9rQ0B+zv8uWPft30qiXLj21NVEz5exl8yypK7AbkoGyVRjIzX\n"
    "RYZZkue+UycuCYga4VAWpshFMH1svu7vbT6DxGGl/h5yx1zT/fpLQsVrF9aZIzi2\n"
    "y9MVD4R7FU4SFDhP08QdR+28ljOvPA5LfSQXJvifLQdBi0VgrBLmlEBE1EY4UrZX\n"
    "O7NLpAsm0JtnHacD0OLje3v1VBmpWKTLbwmcA7IWfoZGncVrEYmGbfBCcsnm7Mpv\n"
    "7UhVuk1crbe5udcPwD334LCQXYSkGW/oHBTRMU3urG98Rkga8WZr8O1CkQYbB++w\n"
    "WihWYAuQsBO6ESHeAl+vfL4GuTZxbYNWs/kX8jIFNnTAS3ibg6N6i2T5jU7f6EtM\n"
    "Zl5TfTpdqdNad1zxP36ihZJds/JPwS2BkeY3Na+Ra33SMz39MUrzP3nsdCLTsOdd\n"
    "nyCzotSpESir2pZWe+usk+go7Eg+Sz5B6ZX6cT68MI1NeaEgQ2DOEX3CFdLhqV8x\n"
    "K9WhEhioUgEmWB/+3BNjiq1MeqDWmR1+iVBYA00+8HkQluF7crtHYnlTuWD2xGD5\n"
    "r5bolOJkdqE0ELYTgu32lgxvNhsCsVSjWONTdmzeNzY4CfOfKoGK8cAbg+4f18Xp\n"
    "hzDEIL9Jsr8ppV/U9KIKP6YStIGJjHU0BoDRrhcrr7mM28peHZ7mH42D+KIrgD6p\n"
    "g1B71qBD/0XG4xHQRgiPlfNRODMhGJzFRVk32k2/ftO33FDOjdHrBRMvjHoGzPLL\n"
    "TimL5jMIkoba84f7HiuCDqyM8VeHbJ/4Yi06YC/FCpyTCgx6uIYgXKVf8AqJNEDc\n"
    "Qxl9wZysp7OHmq5RfN2geN+ElSuRSK6sW9Q7q0x/wOECYC3gpuqzRuVR5kFUpM7J\n"
    "RsGpLoMlZN9r6HIE551/U1UqClXicAuD8XhiN5bbrIkatJeS8NN71Yv9ExzORCZu\n"
    "neb7StWVSrJ1W+X6FaccYPE8bZj5uTKnsgsdjVuqvpaSgXdxTxNbtswuLOh6WAPt\n"
    "ykkslNRqKWnBIXehzsvQvbASm7YLTw+5acQ9AJJKgB50yDhBP2HRtWarCGcIN01J\n"
    "wyfdsm5Y6qv07hoj8+5Czrg5KJET2gX+HBraG8u8zyvpDGppt6lfhnH1NZ97S2pu\n"
    "v+hgPCuMoF2jrY6IQlvFEn4SAAQapdTc0BZcir7x40Exo2aNlOCM/QeHEDrynj2P\n"
    "kpx/UbKu0OxBG5bPnKZCem7tHWhbj/u7Sf0GHXRrlgPa\n"
    "-----END ENCRYPTED PRIVATE KEY-----\n";

static struct rsa_key *key;

static struct slice decode(const char *text, struct buf *to)
{
    struct err err = ERR_INIT;

    buf_clear(to);
    cr_assert_eq(base64_decode(slice_of(text), to, &err), ERR_OK, "%s", err.text);
    return buf_slice(to);
}

static void fill(struct rsa_numbers *ret)
{
    CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(RSA_KEY_SIZE);

    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        cr_assert_eq(decode(numbers[i].text, &bytes).len, numbers[i].size);
        memcpy((char *)ret + numbers[i].at, bytes.ptr, numbers[i].size);
    }
}

static void enter(void)
{
    struct rsa_numbers n;
    struct err err = ERR_INIT;

    fill(&n);
    cr_assert_eq(rsa_key_load(&n, &key, &err), ERR_OK, "%s", err.text);
}

static void leave(void)
{
    key = rsa_key_free(key);
}

TestSuite(rsa, .init = enter, .fini = leave);

Test(rsa, gives_back_the_numbers_it_was_given)
{
    CLEANUP(buf_deinit) struct buf modulus = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf exponent = BUF_INIT(RSA_KEY_SIZE);
    struct rsa_numbers want, got;

    fill(&want);
    rsa_key_numbers(key, &got);
    cr_assert_arr_eq(&got, &want, sizeof want);
    rsa_key_public(key, &modulus, &exponent);
    cr_assert(slice_eq(buf_slice(&exponent), SLICE("\1\0\1")));
    cr_assert_arr_eq(modulus.ptr, want.modulus, sizeof want.modulus);
}

Test(rsa, signs_rs256_as_others_do)
{
    CLEANUP(buf_deinit) struct buf want = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf got = BUF_INIT(RSA_KEY_SIZE);

    rsa_key_sign(key, RSA_RS256, SLICE("header.claims"), &got);
    cr_assert(slice_eq(buf_slice(&got), decode(rs256, &want)));
    cr_assert(rsa_key_verify(key, RSA_RS256, SLICE("header.claims"), buf_slice(&got)));
    cr_assert_not(rsa_key_verify(key, RSA_RS256, SLICE("header.claim"), buf_slice(&got)));
    cr_assert_not(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), buf_slice(&got)));
}

/* Each signature has a salt of its own, so ours is held against the check that takes theirs. */
Test(rsa, signs_ps256_as_others_do)
{
    CLEANUP(buf_deinit) struct buf theirs = BUF_INIT(RSA_KEY_SIZE);
    CLEANUP(buf_deinit) struct buf ours = BUF_INIT(RSA_KEY_SIZE);

    cr_assert(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), decode(ps256, &theirs)));
    rsa_key_sign(key, RSA_PS256, SLICE("header.claims"), &ours);
    cr_assert(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), buf_slice(&ours)));
    cr_assert_not(slice_eq(buf_slice(&ours), buf_slice(&theirs)));
    ours.ptr[9] ^= 1;
    cr_assert_not(rsa_key_verify(key, RSA_PS256, SLICE("header.claims"), buf_slice(&ours)));
}

Test(rsa, decrypts_what_is_for_it_with_the_right_hash_only)
{
    static const struct {
        const char *text;
        enum rsa_hash right, wrong;
    } rows[] = {{oaep_sha1, RSA_SHA1, RSA_SHA256}, {oaep_sha256, RSA_SHA256, RSA_SHA1}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(RSA_KEY_SIZE);
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(RSA_KEY_SIZE);
        struct err err = ERR_INIT;

        (void)decode(rows[i].text, &bytes);
        cr_assert_eq(rsa_key_decrypt(key, rows[i].wrong, buf_slice(&bytes), &plain, &err),
                     ERR_INVALID);
        cr_assert_eq(plain.len, 0);
        cr_assert_eq(rsa_key_decrypt(key, rows[i].right, buf_slice(&bytes), &plain, &err), ERR_OK,
                     "row %zu: %s", i, err.text);
        cr_assert_eq(plain.len, 32);
        for (size_t at = 0; at < plain.len; at++)
            cr_assert_eq(plain.ptr[at], (char)at);
        cr_assert_eq(
            rsa_key_decrypt(key, rows[i].right, slice_head(buf_slice(&bytes), 255), &plain, &err),
            ERR_INVALID);
    }
}

Test(rsa, makes_keys_that_work)
{
    CLEANUP(buf_deinit) struct buf signature = BUF_INIT(RSA_KEY_SIZE);
    struct rsa_key *made = rsa_key_new(), *again;
    struct rsa_numbers n;
    struct err err = ERR_INIT;

    rsa_key_numbers(made, &n);
    cr_assert_eq(rsa_key_load(&n, &again, &err), ERR_OK, "%s", err.text);
    rsa_key_sign(again, RSA_RS256, SLICE("x"), &signature);
    cr_assert_eq(signature.len, RSA_KEY_SIZE);
    cr_assert(rsa_key_verify(made, RSA_RS256, SLICE("x"), buf_slice(&signature)));
    cr_assert_not(rsa_key_verify(key, RSA_RS256, SLICE("x"), buf_slice(&signature)));
    rsa_key_free(made);
    rsa_key_free(again);
}

Test(rsa, refuses_numbers_that_do_not_belong_together)
{
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        struct rsa_key *broken = NULL;
        struct rsa_numbers n;
        struct err err = ERR_INIT;

        if (numbers[i].size != RSA_KEY_SIZE && numbers[i].size != RSA_EXPONENT_SIZE)
            continue; /* libcrypto looks at those only while it signs, and finds another way */
        fill(&n);
        memset((char *)&n + numbers[i].at, i == 0 ? 0 : 0x5a, numbers[i].size);
        cr_assert_eq(rsa_key_load(&n, &broken, &err), ERR_INVALID, "number %zu", i);
        cr_assert_null(broken);
    }
}

/* ---- AES ---- */

/* NIST SP 800-38A, F.2.5 and F.2.6. */
static const unsigned char aes_key[] = {
    0x60, 0x3d, 0xeb, 0x10, 0x15, 0xca, 0x71, 0xbe, 0x2b, 0x73, 0xae, 0xf0, 0x85, 0x7d, 0x77, 0x81,
    0x1f, 0x35, 0x2c, 0x07, 0x3b, 0x61, 0x08, 0xd7, 0x2d, 0x98, 0x10, 0xa3, 0x09, 0x14, 0xdf, 0xf4};
static const unsigned char aes_iv[] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
static const unsigned char aes_coded[] = {
    0xf5, 0x8c, 0x4c, 0x04, 0xd6, 0xe5, 0xf1, 0xba, 0x77, 0x9e, 0xab, 0xfb, 0x5f, 0x7b, 0xfb, 0xd6,
    0x9c, 0xfc, 0x4e, 0x96, 0x7e, 0xdb, 0x80, 0x8d, 0x67, 0x9f, 0x77, 0x7b, 0xc6, 0x70, 0x2c, 0x7d};
static const unsigned char aes_plain[] = {
    0x6b, 0xc1, 0xbe, 0xe2, 0x2e, 0x40, 0x9f, 0x96, 0xe9, 0x3d, 0x7e, 0x11, 0x73, 0x93, 0x17, 0x2a,
    0xae, 0x2d, 0x8a, 0x57, 0x1e, 0x03, 0xac, 0x9c, 0x9e, 0xb7, 0x6f, 0xac, 0x45, 0xaf, 0x8e, 0x51};

Test(aes, agrees_with_the_standard)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(64);
    struct slice coded = slice_make((const char *)aes_coded, sizeof aes_coded);
    struct err err = ERR_INIT;

    /* The standard's text has no padding, so nothing is taken off. */
    cr_assert_eq(aes_decrypt(aes_key, aes_iv, coded, &plain, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(plain.len, sizeof aes_plain);
    cr_assert_arr_eq(plain.ptr, aes_plain, sizeof aes_plain);
}

/* What "printf TEXT | openssl enc -aes-256-cbc" makes with this key. */
Test(aes, takes_the_padding_off)
{
    static const struct {
        const char *plain, *coded;
    } rows[] = {
        {"", "fpJI5dgpynWT8MVJ2y9bjA=="},
        {"{}", "ZjixVii6/fCKAtG3sgvfMw=="},
        {"0123456789abcde", "hMR13tgjLdllUCu3CE28sQ=="},
        {"0123456789abcdef", "r3mC9nj0mL4FPw7Aa8VHyvgdq5Ai8QCZkc31oCqGSl0="},
        {"{\"a\":\"0123456789\"}", "9unV6WET0K/IeJaeahASyGFvDfzwhYb8/mw3SDeajjo="},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        CLEANUP(buf_deinit) struct buf bytes = BUF_INIT(100);
        CLEANUP(buf_deinit) struct buf plain = BUF_INIT(100);
        struct err err = ERR_INIT;

        buf_add_str(&plain, "+");
        cr_assert_eq(aes_decrypt(aes_key, aes_iv, decode(rows[i].coded, &bytes), &plain, &err),
                     ERR_OK, "%s", err.text);
        cr_assert_str_eq(plain.ptr + 1, rows[i].plain);
    }
}

Test(aes, refuses_what_is_no_whole_number_of_blocks)
{
    CLEANUP(buf_deinit) struct buf plain = BUF_INIT(16);
    struct slice coded = slice_make((const char *)aes_coded, sizeof aes_coded);
    struct err err = ERR_INIT;

    for (size_t n = 0; n < sizeof aes_coded; n++)
        if (n != AES_BLOCK_SIZE)
            cr_assert_eq(aes_decrypt(aes_key, aes_iv, slice_head(coded, n), &plain, &err),
                         ERR_INVALID, "%zu", n);
    cr_assert_eq(aes_decrypt(aes_key, aes_iv, coded, &plain, &err), ERR_LIMIT);
}

Test(rsa, a_key_is_read_as_files_have_it)
{
    static const char *const good[] = {pkcs1, pkcs8};

    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct rsa_key *same = NULL;
        struct rsa_numbers ours, theirs;
        struct err err = ERR_INIT;

        cr_assert_eq(rsa_key_parse_pem(slice_of(good[i]), &same, &err), ERR_OK, "%s", err.text);
        rsa_key_numbers(key, &ours);
        rsa_key_numbers(same, &theirs);
        cr_assert_eq(memcmp(&ours, &theirs, sizeof ours), 0, "%zu", i);
        rsa_key_free(same);
    }
}

Test(rsa, what_is_no_key_of_ours_is_not_read)
{
    static const char *const bad[] = {"",
                                      "no key",
                                      elliptic,
                                      small,
                                      with_passphrase,
                                      "-----BEGIN RSA PRIVATE KEY-----\nAAAA\n"
                                      "-----END RSA PRIVATE KEY-----\n"};

    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct rsa_key *none = NULL;
        struct err err = ERR_INIT;

        cr_expect_eq(rsa_key_parse_pem(slice_of(bad[i]), &none, &err), ERR_INVALID, "%zu", i);
        cr_expect_null(none);
    }
}
