SET foreign_key_checks = 0;
CREATE TABLE `accounts` (
  `id` int NOT NULL AUTO_INCREMENT,
  `code` varchar(20) NOT NULL,
  `name` varchar(255) NOT NULL,
  `kind` varchar(12) DEFAULT NULL,
  `parent_id` int DEFAULT NULL,
  `currency` varchar(3) DEFAULT 'EUR',
  `closed` tinyint(1) DEFAULT '0',
  `data` json DEFAULT NULL,
  PRIMARY KEY (`id`),
  UNIQUE KEY `code` (`code`),
  UNIQUE KEY `id` (`id`),
  KEY `parent_id` (`parent_id`),
  CONSTRAINT `accounts_ibfk_1` FOREIGN KEY (`parent_id`) REFERENCES `accounts` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `budgets` (
  `id` int NOT NULL AUTO_INCREMENT,
  `account_id` int DEFAULT NULL,
  `year` int DEFAULT NULL,
  `month` int DEFAULT NULL,
  `amount` decimal(14,2) DEFAULT NULL,
  PRIMARY KEY (`id`),
  KEY `account_id` (`account_id`),
  CONSTRAINT `budgets_ibfk_1` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `entries` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `booked_on` date NOT NULL,
  `value_on` date DEFAULT NULL,
  `text` varchar(255) DEFAULT NULL,
  `reference` varchar(40) DEFAULT NULL,
  `created_at` timestamp NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (`id`)
) ENGINE=InnoDB;
CREATE TABLE `postings` (
  `id` bigint NOT NULL AUTO_INCREMENT,
  `entry_id` bigint DEFAULT NULL,
  `account_id` int DEFAULT NULL,
  `amount` decimal(14,2) NOT NULL,
  PRIMARY KEY (`id`),
  KEY `entry_id` (`entry_id`),
  KEY `account_id` (`account_id`),
  CONSTRAINT `postings_ibfk_1` FOREIGN KEY (`entry_id`) REFERENCES `entries` (`id`),
  CONSTRAINT `postings_ibfk_2` FOREIGN KEY (`account_id`) REFERENCES `accounts` (`id`)
) ENGINE=InnoDB;
CREATE TABLE `rates` (
  `currency` varchar(3) NOT NULL,
  `day` date NOT NULL,
  `rate` decimal(12,6) DEFAULT NULL,
  PRIMARY KEY (`currency`,`day`)
) ENGINE=InnoDB;
